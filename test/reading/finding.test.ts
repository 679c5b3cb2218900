import { afterAll, beforeAll, expect, test } from 'vitest';
import { messageIdAt } from '../../src/message/id.ts';
import type { TestApi } from '../api/start-api.ts';
import { lines, phone, type Reading, startReading } from './start-reading.ts';

let api: TestApi;
let store: Reading['store'];
let get: Reading['get'];
let all: Reading['all'];

beforeAll(async () => {
  ({ api, store, get, all } = await startReading());
});

afterAll(() => api.stop());

test('finds by recipient in chunks with a filter and in small ones, newest first', async () => {
  const old = await store({ lines: lines(1_500, 5_000) });
  const fresh = await store({ lines: lines(3, 5_700) });
  const { json } = await get(`/v1/messages?to=${encodeURIComponent(phone(5_701))}`);
  expect(json.data.map(({ batchId }: { batchId: string }) => batchId)).toEqual([fresh.id, old.id]);
  expect(json.data[1].body).toBe('Your code is 5701');
  expect(json.next).toBeNull();
  const { json: byRef } = await get('/v1/messages?ref=order-5701');
  expect(byRef.data).toEqual(json.data);
});

test('takes a plus that was not encoded', async () => {
  await store({ lines: ['{"to":"+31600000042"}', '{"to":"ada+news@example.com"}'] });
  expect((await get('/v1/messages?to=+31600000042')).json.data).toHaveLength(1);
  expect((await get('/v1/messages?to=%2B31600000042')).json.data).toHaveLength(1);
  expect((await get('/v1/messages?to=ada+news@example.com')).json.data).toHaveLength(1);
});

test('pages through many messages to one recipient, each once', async () => {
  const again = Array.from({ length: 60 }, (_, index) => `{"to":"+31600000077","ref":"again-${index}"}`);
  const batch = await store({ lines: again, chunkLines: 25 });
  const { items } = await all('/v1/messages?to=%2B31600000077&limit=7');
  const ids = batch.chunks.flatMap(({ id, count }) =>
    Array.from({ length: count }, (_, offset) => messageIdAt(id, offset)),
  );
  expect(items.map(({ id }) => id)).toEqual(ids.sort().reverse());
});

test('finds what was written with needless escapes, and an address in another case of its domain', async () => {
  await store({
    lines: [
      '{"to":"\\u002b31600000099","ref":"caf\\u00e9\\/1"}',
      '{"to":"Bob@EXAMPLE.org","ref":"\\"quoted\\"\\n"}',
    ],
  });
  expect((await get('/v1/messages?to=%2B31600000099')).json.data).toHaveLength(1);
  expect((await get(`/v1/messages?ref=${encodeURIComponent('café/1')}`)).json.data).toHaveLength(1);
  expect((await get('/v1/messages?to=Bob@example.ORG')).json.data).toHaveLength(1);
  expect((await get('/v1/messages?to=bob@example.org')).json.data).toHaveLength(0);
  expect((await get(`/v1/messages?ref=${encodeURIComponent('"quoted"\n')}`)).json.data).toHaveLength(1);
});

test('keeps to the time that is asked for', async () => {
  const before = new Date(Date.now() - 60_000).toISOString();
  const after = new Date(Date.now() + 60_000).toISOString().replace('Z', '+00:00');
  await store({ lines: ['{"to":"+31600000123"}'] });
  const count = async (more: string) =>
    (await get(`/v1/messages?to=%2B31600000123&${more}`)).json.data.length;
  expect(await count(`since=${before}`)).toBe(1);
  expect(await count(`since=${after}`)).toBe(0);
  expect(await count(`until=${before}`)).toBe(0);
  expect(await count(`since=${before}&until=${after}`)).toBe(1);
});

test('refuses a question that it cannot answer', async () => {
  const bad = [
    '/v1/messages',
    '/v1/messages?to=%2B31600000123&ref=a',
    '/v1/messages?to=',
    '/v1/messages?to=a&to=b',
    '/v1/messages?to=a&limit=0',
    '/v1/messages?to=a&after=x',
    '/v1/messages?to=a&since=yesterday',
    '/v1/messages?to=a&since=2026-02-30T00:00:00Z',
    '/v1/messages?from=a',
    '/v1/batches?after=x',
    '/v1/batches?state=open',
  ];
  for (const path of bad) {
    const { status, json } = await get(path);
    expect(status, path).toBe(422);
    expect(json.code, path).toBe('validation_failed');
  }
  expect((await get('/v1/messages?to=%00')).status).toBe(400);
  expect((await get('/v1/messages?ref=%ff')).status).toBe(400);
});
