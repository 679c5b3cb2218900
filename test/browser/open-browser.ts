import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { findProgram } from '../support/find-program.ts';

export interface WatchedPage {
  page: Page;
  context: BrowserContext;
  /** What no page may do: errors on the console, and requests to elsewhere. */
  faults: string[];
}

/** Debian's Chromium, without a window. */
export async function openBrowser(): Promise<Browser> {
  const executablePath = findProgram('chromium');
  if (executablePath === undefined) throw new Error('chromium is not there: apt install chromium');
  const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];
  return await chromium.launch({ executablePath, args });
}

export async function openPage(
  browser: Browser,
  {
    url,
    ...options
  }: { url: string; viewport?: { width: number; height: number }; colorScheme?: 'light' | 'dark' },
): Promise<WatchedPage> {
  const context = await browser.newContext({
    ...options,
    locale: 'en-GB',
    acceptDownloads: true,
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('blob:'))
      faults.push(`asked ${request.url()}`);
  });
  return { page, context, faults };
}

export async function signIn(page: Page, { url, key }: { url: string; key: string }): Promise<void> {
  await page.goto(url);
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
}
