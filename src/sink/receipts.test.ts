import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSink } from './start-sink.ts';

interface Told {
  receipts: { id?: string; providerRef?: string; status: string; error?: object }[];
}

const posts: Told[] = [];
let refusals = 0;
const server = createServer((request, response) => {
  let body = '';
  request.on('data', (part) => {
    body += part;
  });
  request.on('end', () => {
    if (refusals-- > 0) response.writeHead(503).end();
    else {
      posts.push(JSON.parse(body) as Told);
      response.end('{}');
    }
  });
});
let url: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});

afterAll(() => server.close());

async function tellOf(ids: string[], options: Record<string, string | number>) {
  posts.length = 0;
  const sink = await startSink({ port: 0, receiptsUrl: url, ...options });
  try {
    const messages = ids.map((id) => ({ id }));
    const body = JSON.stringify({ messages });
    const answer = await (await fetch(sink.url, { method: 'POST', body })).json();
    await expect.poll(() => sink.ledger().receipts).toMatchObject({ waiting: 0, told: expect.any(Number) });
    return { answer, books: sink.ledger().receipts };
  } finally {
    await sink.stop();
  }
}

const ids = Array.from({ length: 50 }, (_, n) => `m-${n}`);

test('each message that was taken is told of once, some as failed, and counted', async () => {
  const { books } = await tellOf(ids, { receiptsFailRate: 0.5, receiptsBatchMax: 20 });
  const told = posts.flatMap(({ receipts }) => receipts);
  expect(posts.length).toBeGreaterThanOrEqual(3);
  expect(told.map(({ id }) => id).sort()).toEqual([...ids].sort());
  const failed = told.filter(({ status }) => status === 'failed').length;
  expect(failed).toBeGreaterThan(0);
  expect(failed).toBeLessThan(50);
  expect(books).toEqual({
    ...{ told: 50, delivered: 50 - failed, failed, repeated: 0, refused: 0, waiting: 0, dropped: 0 },
  });
});

test('what is refused is told again, and some twice where that is asked for', async () => {
  refusals = 1;
  const { books } = await tellOf(ids, { receiptsRepeatRate: 1 });
  expect(books).toMatchObject({ told: 100, repeated: 50, refused: 1, delivered: 50 });
  expect(posts.flatMap(({ receipts }) => receipts)).toHaveLength(100);
});

test('they name the id that was answered where that is asked for', async () => {
  const { answer } = await tellOf(['m-1'], { receiptsBy: 'providerRef' });
  expect(answer).toEqual({ results: [{ id: 'm-1', status: 'sent', providerRef: 'sink-m-1' }] });
  expect(posts[0]?.receipts).toEqual([{ providerRef: 'sink-m-1', status: 'delivered' }]);
});

test('where they are told can be set later, and nonsense is refused', async () => {
  const sink = await startSink({ port: 0 });
  posts.length = 0;
  const put = (body: string) => fetch(`${sink.url}/receipts`, { method: 'PUT', body });
  expect((await put('{"url":"ftp://x"}')).status).toBe(400);
  expect((await put('{')).status).toBe(400);
  await fetch(sink.url, { method: 'POST', body: '{"id":"before"}' });
  expect((await put(JSON.stringify({ url }))).status).toBe(200);
  await fetch(sink.url, { method: 'POST', body: '{"id":"m"}', headers: { 'idempotency-key': 'm.1' } });
  await expect.poll(() => posts.length).toBe(1);
  expect(posts[0]?.receipts).toEqual([{ id: 'm.1', status: 'delivered' }]);
  await sink.stop();
  await expect(startSink({ port: 0, receiptsBy: 'name' })).rejects.toThrow('key, providerRef');
});

test('receipts of messages that came one by one share posts, and a full post is followed by the next at once', async () => {
  posts.length = 0;
  const sink = await startSink({ port: 0, receiptsUrl: url, receiptsBatchMax: 20 });
  for (const id of ids) await fetch(sink.url, { method: 'POST', body: JSON.stringify({ id }) });
  await expect.poll(() => sink.ledger().receipts).toMatchObject({ waiting: 0, told: 50 });
  await sink.stop();
  expect(posts.length).toBeLessThan(25);
  expect(posts.flatMap(({ receipts }) => receipts.map(({ id }) => id)).sort()).toEqual([...ids].sort());
});

test('what waits when there is nowhere to tell it any more is forgotten, and the provider goes on', async () => {
  const sink = await startSink({ port: 0, receiptsUrl: url });
  const put = (body: string) => fetch(`${sink.url}/receipts`, { method: 'PUT', body });
  posts.length = 0;
  refusals = 1_000;
  await fetch(sink.url, { method: 'POST', body: '{"id":"refused"}' });
  await expect.poll(() => sink.ledger().receipts.refused).toBeGreaterThan(0);
  await fetch(sink.url, { method: 'POST', body: '{"id":"waiting"}' });
  expect((await put('{"url":""}')).status).toBe(200);
  expect(sink.ledger().receipts.waiting).toBe(0);
  refusals = 0;
  // Longer than it takes until what was refused would be told again.
  for (const id of ['after', 'later', 'last']) {
    await put(JSON.stringify({ url }));
    await fetch(sink.url, { method: 'POST', body: JSON.stringify({ id }) });
    await expect.poll(() => posts.flatMap(({ receipts }) => receipts).at(-1)?.id).toBe(id);
  }
  expect(sink.ledger().receipts).toMatchObject({ waiting: 0, told: 3 });
  await sink.stop();
  expect(posts.flatMap(({ receipts }) => receipts.map(({ id }) => id))).toEqual(['after', 'later', 'last']);
});
