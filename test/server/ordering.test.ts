import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { until } from '../delivery/mill.ts';
import { killProcesses } from '../support/start-process.ts';
import { createSite, type Site } from './several.ts';

const waitMs = 90_000;
const shardsAll = 1_024;
let site: Site | undefined;
let provider: http.Server | undefined;

afterEach(async () => {
  provider?.closeAllConnections();
  provider?.close();
  await site?.close();
  site = undefined;
  killProcesses();
});

interface Arrival {
  key: string;
  n: number;
  sent: boolean;
}

/** Answers every third message or so 429, 503 or 500 for a few times before it takes it, and keeps what came in order. */
async function startProvider(): Promise<{ url: string; arrivals: Arrival[] }> {
  const arrivals: Arrival[] = [];
  const tries = new Map<string, number>();
  provider = http.createServer(async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    const { ref } = JSON.parse(body) as { ref: string };
    const [key, number] = ref.split('/') as [string, string];
    const n = Number(number);
    const tried = (tries.get(ref) ?? 0) + 1;
    tries.set(ref, tried);
    const troubled = (Number(key) * 7 + n * 5) % 3 === 0 && tried <= 1 + (n % 2);
    arrivals.push({ key, n, sent: !troubled });
    response.writeHead(troubled ? [429, 503, 500][n % 3]! : 200).end('{}');
  });
  await new Promise<void>((listening) => provider!.listen(0, '127.0.0.1', listening));
  return { url: `http://127.0.0.1:${(provider.address() as AddressInfo).port}/`, arrivals };
}

/** Messages are numbered by key in the order of their acceptance. */
function numbering(keys: number): () => object {
  const counts = Array.from({ length: keys }, () => 0);
  let at = 0;
  return () => {
    const key = (at++ * 7) % keys;
    const n = counts[key]!++;
    return { to: '+31612345678', ref: `${key}/${n}`, orderingKey: `key ${key}` };
  };
}

/** No message of a key was handed over before the one before it was taken, and every one was. */
function expectOrder(arrivals: readonly Arrival[], perKey: Map<string, number>): void {
  const taken = new Map<string, number>();
  for (const { key, n, sent } of arrivals) {
    const next = taken.get(key) ?? 0;
    // What had been taken and not recorded when its server was killed is sent once more, before any later one.
    expect(n === next || n === next - 1).toBe(true);
    if (sent) taken.set(key, Math.max(next, n + 1));
  }
  expect(taken).toEqual(perKey);
}

test('messages of a key arrive in the order in which they were accepted, through refusals, a handover and a kill', async () => {
  const keys = 40;
  const { url, arrivals } = await startProvider();
  site = await createSite();
  const serve = () => site!.start('--lease-ms', '1500');
  const [first, second] = [await serve(), await serve()];
  const route = { connector: 'http', url, allowPrivate: true, concurrency: 8 };
  const retry = { backoffMinMs: 5, backoffMaxMs: 50 };
  const headers = { authorization: `Bearer ${site.key}`, 'content-type': 'application/json' };
  const put = { method: 'PUT', headers, body: JSON.stringify({ ...route, retry, breaker: false }) };
  expect((await fetch(`${second.url}/v1/routes/ordered`, put)).status).toBe(201);
  await until(async () => {
    const { shards } = await site!.workers();
    return shards.get(first.pid) === shardsAll / 2 && shards.get(second.pid) === shardsAll / 2;
  }, waitMs);
  const next = numbering(keys);
  const sizes = [400, 1, 20, 300, 1, 1, 400];
  const total = sizes.reduce((sum, size) => sum + size, 0);
  for (const size of sizes) {
    const messages = Array.from({ length: size }, next);
    if (size <= 20) {
      const body = messages.map((message) => ({ ...message, route: 'ordered' }));
      expect((await site.post(second, '/v1/messages', body)).status).toBe(202);
    } else {
      const body = messages.map((message) => `${JSON.stringify(message)}\n`).join('');
      const upload = {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/x-ndjson' },
        body,
      };
      expect((await fetch(`${second.url}/v1/batches?route=ordered`, upload)).status).toBe(201);
    }
  }
  const takenAtLeast = (share: number) =>
    until(() => arrivals.filter(({ sent }) => sent).length > total * share, waitMs);
  await takenAtLeast(0.2);
  await first.kill();
  const third = await serve();
  await takenAtLeast(0.6);
  await second.stop();
  await until(async () => {
    const [row] = await site!.query<{ open: number }>('SELECT count(*)::int AS open FROM pending');
    return row!.open === 0;
  }, waitMs);
  const counts = Array.from({ length: keys }, (_, key) => [
    `${key}`,
    Math.floor(total / keys) + Number(hasMore(key)),
  ]);
  expectOrder(arrivals, new Map(counts as [string, number][]));
  await third.stop();

  function hasMore(key: number): boolean {
    for (let at = total - (total % keys); at < total; at++) if ((at * 7) % keys === key) return true;
    return false;
  }
}, 240_000);
