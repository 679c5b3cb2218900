import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { type DashboardSite, floodLines, startDashboardSite } from './dashboard-site.ts';
import { openBrowser, openPage, signIn } from './open-browser.ts';

/**
 * Pictures of the dashboard for the documentation, of a server under a flood: `npm run screenshots`. With names of views as
 * arguments, all of those into build/screenshots instead.
 */
const wanted = process.argv.slice(2);
const root = join(import.meta.dirname, '../..');
const directory = wanted.length > 0 ? join(root, 'build/screenshots') : join(root, 'docs/screenshots');
const sizes = { desktop: { width: 1440, height: 1000 }, phone: { width: 390, height: 844 } };
const schemes = ['light', 'dark'] as const;

await mkdir(directory, { recursive: true });
const data = await mkdtemp(join(tmpdir(), 'millrace-screenshots-'));
const site = await startDashboardSite({ data });
try {
  const places = await fill(site);
  const views = wanted.length > 0 ? wanted : ['flood', 'batch', 'send'];
  const browser = await openBrowser();
  for (const [size, viewport] of Object.entries(sizes)) {
    for (const colorScheme of schemes) {
      const { page, faults } = await openPage(browser, { url: site.url, viewport, colorScheme });
      await signIn(page, site);
      for (const view of views) {
        await show(page, { view, place: places[view] ?? `#/${view}` });
        await page.screenshot({
          path: join(directory, `${view}-${size}-${colorScheme}.png`),
          fullPage: wanted.length > 0 || size === 'desktop',
        });
      }
      if (faults.length > 0) console.error(faults.join('\n'));
      await page.context().close();
    }
  }
  await browser.close();
} finally {
  await site.stop();
  await rm(data, { recursive: true, force: true });
}
console.log(`written to ${directory}`);

/** Accounts, routes that go well and badly, and batches of every kind. */
async function fill({ call, sink }: DashboardSite): Promise<Record<string, string>> {
  const http = { connector: 'http', channel: 'sms', allowPrivate: true, url: `${sink.url}/` };
  await call('PUT', '/v1/routes/sms-a', { ...http, ratePerSecond: 300 });
  await call('PUT', '/v1/routes/sms-b', { ...http, ratePerSecond: 80 });
  await call('PUT', '/v1/routes/sms-down', { ...http, url: 'http://127.0.0.1:9/', ratePerSecond: 50 });
  await call('POST', '/v1/templates', {
    name: 'welcome',
    channel: 'sms',
    body: 'Hello {{ name }}, welcome to {{ shop }}.',
  });
  await call('POST', '/v1/webhooks', {
    ...{ name: 'billing', url: 'https://billing.example.com/hook' },
    filter: { tags: ['vip'] },
  });
  await call('POST', '/v1/suppressions', { channel: 'sms', to: '+31611111111' });
  const ndjson = { 'content-type': 'application/x-ndjson' };
  const upload = (route: string, lines: string, account?: string) =>
    call('POST', `/v1/batches?route=${route}`, lines, {
      ...ndjson,
      ...(account !== undefined && { 'millrace-account': account }),
    });
  const parcels = await call('POST', '/v1/accounts', { name: 'Acme Parcels', weight: 3 });
  const bank = await call('POST', '/v1/accounts', { name: 'Bluebird Bank' });
  const batch = await upload('sms-a', `${floodLines(60_000, 'spring')}{"to":"nobody"}\n`);
  await upload('sms-a', floodLines(60_000, 'parcel'), parcels.id);
  await upload('sms-b', floodLines(20_000, 'codes'), bank.id);
  await upload('sms-down', floodLines(2_000, 'down'), bank.id);
  const few = await upload('sms-b', floodLines(100, 'few'));
  await call('POST', `/v1/batches/${few.id}/cancel`);
  const page = await call('GET', `/v1/batches/${batch.id}/messages?limit=1`);
  return {
    past: '#/flood?range=1h',
    batch: `#/batches/${batch.id}`,
    message: `#/messages/${page.data[0].id}`,
    found: '#/messages?to=%2B31600000003',
    route: '#/routes/sms-a',
    template: '#/templates/welcome',
  };
}

async function show(page: Page, { view, place }: { view: string; place: string }): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(place)}`);
  if (view === 'send') {
    const csv =
      'phone,name,shop,order\n+31612345678,Ada,Mill Street,1001\n+31687654321,Grace,Canal Side,1002\n';
    await page.getByLabel('File of messages').setInputFiles({
      name: 'spring-campaign.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from(csv),
    });
    await page.getByLabel('Route').selectOption('sms-a');
    await page.getByLabel('Template').selectOption('welcome');
    await page.getByText('Hello Ada').waitFor({ timeout: 20_000 });
    return;
  }
  // The charts fill.
  await page.waitForTimeout(view === 'flood' ? 12_000 : 4_000);
}
