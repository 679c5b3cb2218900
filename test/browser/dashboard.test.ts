import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';
import { findProgram } from '../support/find-program.ts';
import { needs } from '../support/needs.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { killProcesses } from '../support/start-process.ts';
import { axeProblems, contrastRule } from './axe-problems.ts';
import { type DashboardSite, floodLines, startDashboardSite } from './dashboard-site.ts';
import { openBrowser, openPage, signIn, type WatchedPage } from './open-browser.ts';

/** The long form is of `dashboard.long.test.ts`. */
const messages = process.env.MILLRACE_TEST_LONG === '1' ? 200_000 : 20_000;
const floodMs = 300_000;
const hasChromium = findProgram('chromium') !== undefined;
let data: string;
let site: DashboardSite;
let browser: Browser;
let batch: { id: string } | undefined;

beforeAll(async () => {
  if (!hasChromium) return;
  data = await mkdtemp(join(tmpdir(), 'millrace-dashboard-'));
  site = await startDashboardSite({ data, database: (await createTestDatabase()).url });
  const http = { connector: 'http', channel: 'sms', allowPrivate: true, url: `${site.sink.url}/` };
  await site.call('PUT', '/v1/routes/sms', { ...http, ratePerSecond: messages / 10 });
  await site.call('PUT', '/v1/routes/down', {
    ...{ ...http, url: 'http://127.0.0.1:9/' },
    retry: { attemptsMax: 1 },
    breaker: false,
  });
  await site.call('POST', '/v1/templates', { name: 'welcome', channel: 'sms', body: 'Hello {{ name }}.' });
  browser = await openBrowser();
});

afterAll(async () => {
  await browser?.close();
  await site?.stop();
  killProcesses();
  if (data) await rm(data, { recursive: true, force: true });
});

const flood = (route: string, count: number, prefix: string) =>
  site.call('POST', `/v1/batches?route=${route}`, floodLines(count, prefix), {
    'content-type': 'application/x-ndjson',
  });

/** A page that is signed in, and that is faultless at the end. */
async function onPage(
  work: (opened: WatchedPage) => Promise<void>,
  options: Parameters<typeof openPage>[1] = { url: site.url },
): Promise<void> {
  const opened = await openPage(browser, options);
  opened.page.setDefaultTimeout(30_000);
  try {
    await signIn(opened.page, site);
    await work(opened);
    expect(opened.faults).toEqual([]);
  } finally {
    await opened.context.close();
  }
}

needs('chromium')(
  'a wrong key is refused, and a right one is in no URL and not kept beyond the tab',
  async () => {
    const { page, context, faults } = await openPage(browser, { url: site.url });
    await page.goto(site.url);
    expect(await axeProblems(page)).toEqual([]);
    await page.getByLabel('API key').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').getByText('unauthorized').waitFor();
    // The browser itself notes an answer of 401.
    faults.length = 0;
    await signIn(page, site);
    expect(page.url()).not.toContain(site.key);
    expect(await page.evaluate('JSON.stringify({ ...localStorage }) + document.cookie')).not.toContain(
      site.key,
    );
    await page.reload();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('API key').waitFor();
    expect(await page.evaluate('JSON.stringify({ ...sessionStorage })')).not.toContain(site.key);
    expect(faults).toEqual([]);
    await context.close();
  },
);

needs('chromium')(
  'the flood view moves under a flood, and a batch is paused and resumed from the page',
  () =>
    onPage(async ({ page }) => {
      await page.locator('#stream-state', { hasText: /^live$/ }).waitFor();
      batch = await flood('sms', messages, 'flood');
      const sent = page.locator('.tile', { hasText: 'Sent' }).locator('b');
      await expect
        .poll(async () => Number((await sent.textContent())?.replaceAll(',', '')))
        .toBeGreaterThan(100);
      await page.locator('.table', { hasText: 'sms' }).first().waitFor();
      expect(await page.locator('.chart canvas').count()).toBe(2);
      expect(await axeProblems(page)).toEqual([]);

      await page.getByRole('link', { name: 'Batches' }).click();
      await page.getByRole('row').nth(1).getByRole('link').first().click();
      await page.getByRole('button', { name: 'Pause' }).click();
      await page.getByRole('button', { name: 'Resume' }).waitFor();
      const path = `/v1/batches/${batch!.id}`;
      expect((await site.call('GET', path)).state).toBe('paused');
      expect(await axeProblems(page)).toEqual([]);
      await page.getByRole('button', { name: 'Resume' }).click();
      await page.getByRole('button', { name: 'Pause' }).waitFor();
      await page.locator('h1 + .state', { hasText: 'done' }).waitFor({ timeout: floodMs / 2 });
      const { counts } = await site.call('GET', path);
      expect(counts.sent + counts.delivered).toBe(messages);
    }),
  floodMs,
);

needs('chromium')('what failed is told by code, with an example, and replayed from the page', () =>
  onPage(async ({ page }) => {
    const bad = await flood('down', 50, 'down');
    await page.goto(`${site.url}/#/batches/${bad.id}`);
    await page.getByRole('cell', { name: 'connection_refused' }).first().waitFor();
    await page.locator('h1 + .state', { hasText: 'done' }).waitFor();
    const http = { connector: 'http', channel: 'sms', allowPrivate: true, url: `${site.sink.url}/` };
    await site.call('PUT', '/v1/routes/down', http);
    await page.getByRole('button', { name: 'Replay the failed' }).click();
    expect(await axeProblems(page)).toEqual([]);
    await page.getByRole('button', { name: 'Try them again' }).click();
    await expect.poll(async () => (await site.call('GET', `/v1/batches/${bad.id}`)).counts.sent).toBe(50);
  }),
);

needs('chromium')(
  'a CSV is dropped, its columns are named, its first messages rendered, and it is sent',
  () =>
    onPage(async ({ page }) => {
      await page.getByRole('link', { name: 'Send', exact: true }).click();
      const rows = Array.from({ length: 500 }, (_, n) => `+3161234${1_000 + n},"Ada ""${n}""\nLovelace"\r\n`);
      const csv = `phone,name\r\n${rows.join('')}nobody,Nobody\r\n`;
      await page.evaluate(`{
      const transfer = new DataTransfer();
      transfer.items.add(new File([${JSON.stringify(csv)}], 'people.csv', { type: 'text/csv' }));
      const drop = new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true });
      document.querySelector('.drop').dispatchEvent(drop);
    }`);
      await page.getByLabel('Route').selectOption('sms');
      await page.getByLabel('Template').selectOption('welcome');
      await page.getByText('Hello Ada "0"').waitFor();
      expect(await axeProblems(page)).toEqual([]);
      let release = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      await page.route('**/v1/batches/*/messages', async (route) => {
        await held;
        await route.continue();
      });
      await page.getByRole('button', { name: 'Send people.csv' }).click();
      await page.getByRole('link', { name: 'Follow the batch' }).click();
      await page.getByText('people.csv is being sent').waitFor();
      expect(await axeProblems(page)).toEqual([]);
      release();
      await page.getByRole('link', { name: 'Send', exact: true }).click();
      await page.getByRole('heading', { name: 'people.csv is sent' }).waitFor();
      await page.getByText('500 accepted · 1 rejected').waitFor();
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'Download rejected lines' }).click(),
      ]);
      expect(download.suggestedFilename()).toMatch(/^rejections-.*\.ndjson$/);
      await page.getByRole('link', { name: 'Follow the batch' }).click();
      await page.getByRole('heading', { name: 'Rejected lines' }).waitFor();
    }),
);

needs('chromium')('a message is found by its recipient, its reference and its id, with its timeline', () =>
  onPage(async ({ page }) => {
    await page.getByRole('link', { name: 'Messages' }).click();
    const search = page.getByRole('searchbox');
    await search.fill('+31 600 000 007');
    await search.press('Enter');
    await page.getByRole('link', { name: '+31600000007' }).first().waitFor();
    await page.getByLabel('It is a').selectOption('ref');
    await search.fill('flood-7');
    await search.press('Enter');
    await page.getByRole('link', { name: '+31600000007' }).click();
    await page.getByRole('listitem').filter({ hasText: 'attempt 1' }).waitFor();
    await page.getByText('Your parcel 7 arrives today').waitFor();
    expect(await axeProblems(page)).toEqual([]);
    const id = page.url().split('/').at(-1)!;
    await page.getByRole('link', { name: 'Search' }).click();
    await page.getByRole('searchbox').fill(id);
    await page.getByRole('searchbox').press('Enter');
    await page.getByText('Your parcel 7 arrives today').waitFor();
  }),
);

needs('chromium')(
  'in no view anything is cut off at 320 pixels, or wrong for a screen reader, in light and in dark',
  async () => {
    batch ??= (await flood('sms', 10, 'small')) as { id: string };
    const account = await site.call('POST', '/v1/accounts', { name: 'Only its own' });
    await site.call('POST', '/v1/suppressions', { channel: 'sms', to: '+31611111111' });
    const webhook = await site.call('POST', '/v1/webhooks', {
      ...{ name: 'billing', url: 'https://billing.example.com/hook', filter: { tags: ['vip'] } },
    });
    const { data: messages } = await site.call('GET', `/v1/batches/${batch.id}/messages?limit=1`);
    const places = [
      ...['flood', 'flood?range=1h', 'batches', `batches/${batch.id}`],
      ...['messages', 'messages?to=%2B31600000007', `messages/${messages[0].id}`, 'send'],
      ...['routes', 'routes/sms', 'routes/down', 'templates', 'templates/welcome', 'suppressions'],
      ...['webhooks', `webhooks/${webhook.id}`, 'accounts', `accounts/${account.id}`],
    ];
    const made = await site.call('POST', '/v1/keys', { accountId: account.id, scopes: ['read'] });
    await onPage(
      async ({ page }) => {
        const theme = () => page.evaluate('document.documentElement.dataset.theme');
        for (const place of places) {
          await page.goto(`${site.url}/#/${place}`);
          await page.locator('h1').first().waitFor();
          await expect.poll(() => page.getByText('Loading…').count()).toBe(0);
          const [width, room] = (await page.evaluate(
            '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
          )) as [number, number];
          expect(width, place).toBeLessThanOrEqual(room);
          expect(await axeProblems(page), place).toEqual([]);
          await page.emulateMedia({ colorScheme: 'dark' });
          await expect.poll(theme).toBe('dark');
          expect(await axeProblems(page, contrastRule), `${place} in dark`).toEqual([]);
          await page.emulateMedia({ colorScheme: 'light' });
          await expect.poll(theme).toBe('light');
        }
      },
      { url: site.url, viewport: { width: 320, height: 640 }, colorScheme: 'light' },
    );
    const { page, context } = await openPage(browser, { url: site.url });
    await signIn(page, { url: site.url, key: made.key });
    await page.getByRole('link', { name: 'Batches' }).click();
    await page.getByText('No batch was sent yet.').waitFor();
    expect(await page.getByRole('link', { name: /^(Send|Accounts)$/ }).count()).toBe(0);
    await context.close();
  },
  floodMs,
);

needs('chromium')('figures that are not live any more are said to be old, and come back', () =>
  onPage(async ({ page, faults }) => {
    await page.locator('#stream-state', { hasText: /^live$/ }).waitFor();
    // Connections stay open, and nothing comes: as of a machine that hangs.
    process.kill(site.server.pid, 'SIGSTOP');
    await page.locator('#stream-state', { hasText: 'not live' }).waitFor();
    await page.locator('.stale').first().waitFor();
    await page.getByText('Not live.').waitFor();
    process.kill(site.server.pid, 'SIGCONT');
    await page.locator('#stream-state', { hasText: /^live$/ }).waitFor();
    // The browser notes what it could not load.
    faults.length = 0;
  }),
);
