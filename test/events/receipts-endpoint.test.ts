import { afterAll, beforeAll, expect, test } from 'vitest';
import { ReceiptIntake } from '../../src/events/receipts/receipt-intake.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { openDatabase } from '../../src/store/database.ts';
import { startApi, type TestApi } from '../api/start-api.ts';
import { findInDatabase } from '../support/find-in-database.ts';
import { freePort } from '../support/free-port.ts';

let api: TestApi;
let url: string;
const route = { connector: 'http', url: 'https://provider.example/' };
const receipt = { id: '0199aaaa-bbbb-7c07-8000-000000000000', status: 'delivered' };

beforeAll(async () => {
  api = await startApi();
  url = (await api.call('PUT', '/v1/routes/main', { body: route })).json.receiptsUrl;
});

afterAll(() => api.stop());

const post = (to: string, body: string | Uint8Array, headers = {}) =>
  fetch(to, { method: 'POST', body: body as string, headers });

async function stored(): Promise<number> {
  const statement = { name: '', text: 'SELECT coalesce(sum(count), 0)::int AS count FROM receipt' };
  return (await api.context.database.query<{ count: number }>(statement)).rows[0]!.count;
}

test('the path is long and random, kept when the route is replaced, and shown to administrators alone', async () => {
  expect(url).toMatch(new RegExp(`^${api.url}/v1/receipts/[\\w-]{32}$`));
  const replaced = await api.call('PUT', '/v1/routes/main', {
    body: { ...route, receiptsBy: 'providerRef' },
  });
  expect(replaced.json).toMatchObject({ receiptsUrl: url, receiptsBy: 'providerRef' });
  expect((await api.call('GET', '/v1/routes/main')).json.receiptsUrl).toBe(url);
  const { key } = await api.makeAccount('Reader', ['read']);
  expect((await api.call('GET', '/v1/routes/main', { key })).json).not.toHaveProperty('receiptsUrl');
  const other = await api.call('PUT', '/v1/routes/other', { body: route });
  expect(other.json.receiptsUrl).not.toBe(url);
  expect(await findInDatabase(api.databaseUrl, url.slice(-32))).toEqual([]);
});

test('what is stored is answered 2xx, concurrent callbacks in shared rows', async () => {
  const before = await stored();
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => post(url, JSON.stringify({ receipts: [receipt, receipt] }))),
  );
  for (const answer of answers) expect(answer.status).toBe(200);
  expect((await stored()) - before).toBe(100);
  const rows = await api.context.database.query({ name: '', text: 'SELECT FROM receipt' });
  expect(rows.rowCount).toBeLessThan(50);
  expect((await post(url, JSON.stringify({ ...receipt, status: 'queued' }))).status).toBe(200);
  expect((await stored()) - before).toBe(100);
});

test('it takes no key, any media type, and refuses what it cannot read, counted', async () => {
  const before = await stored();
  expect((await post(url, JSON.stringify([receipt]), { 'content-type': 'text/plain' })).status).toBe(200);
  expect((await post(url, JSON.stringify([receipt]), { authorization: 'Bearer nonsense' })).status).toBe(200);
  for (const body of ['', '{', '7', '{}', '[{"status":"delivered"}]', '{"id":[],"status":"delivered"}']) {
    const answer = await post(url, body);
    expect([body, answer.status]).toEqual([body, 400]);
    expect(((await answer.json()) as { code: string }).code).toBe('invalid_request');
  }
  expect((await fetch(url)).status).toBe(400);
  expect((await fetch(`${url}?id=${receipt.id}&status=delivered`)).status).toBe(200);
  expect((await fetch(url, { method: 'PUT' })).status).toBe(405);
  expect((await fetch(url, { method: 'HEAD' })).status).toBe(405);
  expect((await post(url, 'x', { 'content-encoding': 'gzip' })).status).toBe(415);
  expect((await stored()) - before).toBe(3);
  expect(await api.context.metrics.render()).toContain('millrace_receipts_total{result="refused"} 7');
});

test('a body has a limit', async () => {
  expect((await post(url, new Uint8Array(1_048_577).fill(0x20))).status).toBe(413);
  const many = Array.from({ length: 10_000 }, () => receipt);
  const before = await stored();
  expect((await post(url, JSON.stringify(many))).status).toBe(200);
  expect((await post(url, JSON.stringify([...many, receipt]))).status).toBe(400);
  expect((await stored()) - before).toBe(10_000);
});

test('a path that nobody was told is not found, and neither is one that was replaced', async () => {
  expect((await post(`${api.url}/v1/receipts/${'x'.repeat(32)}`, JSON.stringify(receipt))).status).toBe(404);
  expect((await post(`${api.url}/v1/receipts/`, JSON.stringify(receipt))).status).toBe(404);
  const made = await api.call('PUT', '/v1/routes/moved', { body: route });
  const rotated = await api.call('POST', '/v1/routes/moved/rotate-receipts-url');
  expect(rotated.status).toBe(200);
  expect(rotated.json.receiptsUrl).not.toBe(made.json.receiptsUrl);
  expect((await post(made.json.receiptsUrl, JSON.stringify(receipt))).status).toBe(404);
  expect((await post(rotated.json.receiptsUrl, JSON.stringify(receipt))).status).toBe(200);
  expect((await api.call('POST', '/v1/routes/nowhere/rotate-receipts-url')).status).toBe(404);
  // Messages of a route that was deleted go on, and so do their receipts.
  await api.call('DELETE', '/v1/routes/moved');
  expect((await post(rotated.json.receiptsUrl, JSON.stringify(receipt))).status).toBe(200);
});

test('an option that tells the provider the URL is given the new one', async () => {
  const twilio = { connector: 'http', preset: 'twilio', accountSid: `AC${'0'.repeat(32)}`, authToken: 't' };
  const made = await api.call('PUT', '/v1/routes/told', { body: twilio });
  const receiptUrl = `${made.json.receiptsUrl}?from=twilio`;
  await api.call('PUT', '/v1/routes/told', { body: { ...twilio, receiptUrl } });
  const rotated = await api.call('POST', '/v1/routes/told/rotate-receipts-url');
  expect(rotated.json.receiptUrl).toBe(`${rotated.json.receiptsUrl}?from=twilio`);
  const forged = await post(rotated.json.receiptsUrl, 'MessageSid=SM1&MessageStatus=delivered');
  expect([forged.status, ((await forged.json()) as { code: string }).code]).toEqual([
    403,
    'receipt_distrusted',
  ]);
  const elsewhere = { ...twilio, receiptUrl: 'https://mill.example/elsewhere' };
  await api.call('PUT', '/v1/routes/told', { body: elsewhere });
  const again = await api.call('POST', '/v1/routes/told/rotate-receipts-url');
  expect(again.json).toMatchObject(elsewhere);
});

test('while the database is away the provider is asked to come again', async () => {
  const databaseUrl = `postgres://nobody@127.0.0.1:${await freePort()}/none`;
  const database = openDatabase({ url: databaseUrl, poolSize: 1, name: 'away' });
  const receipts = new ReceiptIntake({ database, clock: systemClock });
  const away = await startApi({
    ...{ databaseUrl: api.databaseUrl, receipts, publicUrl: 'https://mill.example' },
  });
  try {
    await away.context.control.refresh();
    const answer = await post(url.replace(api.url, away.url), JSON.stringify(receipt));
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    const shown = await away.call('GET', '/v1/routes/main', { key: api.adminKey });
    expect(shown.json.receiptsUrl).toBe(url.replace(api.url, 'https://mill.example'));
  } finally {
    await away.stop();
    await database.close();
  }
});
