import { afterEach, expect, test } from 'vitest';
import { stateNumber } from '../../src/message/state.ts';
import { openDatabase } from '../../src/store/database.ts';
import { progressOf } from '../delivery/mill.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { killProcesses, type MillraceProcess, startProcess } from '../support/start-process.ts';

afterEach(killProcesses);

const key = 'flood-test-administrator-key-0123456789';
const ndjson = { 'content-type': 'application/x-ndjson' };

interface Ledger {
  received: number;
  distinct: number;
  duplicates: number;
  idsDigest: string;
}

async function startServer(databaseUrl: string, data: string): Promise<MillraceProcess> {
  return await startProcess(
    ['serve', '--port', '0', '--database', databaseUrl, '--data', data, '--log-level', 'warn'],
    {
      MILLRACE_ADMIN_KEY: key,
    },
  );
}

async function call(
  server: MillraceProcess,
  {
    method = 'GET',
    path,
    body,
    headers = {},
  }: { method?: string; path: string; body?: string; headers?: Record<string, string> },
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
): Promise<any> {
  const response = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, ...headers },
    ...(body !== undefined && { body }),
  });
  expect(response.status, `${method} ${path}`).toBeLessThan(300);
  return await response.json();
}

async function setRoute(
  server: MillraceProcess,
  sink: MillraceProcess,
  more: Record<string, unknown>,
): Promise<void> {
  await call(server, {
    method: 'PUT',
    path: '/v1/routes/flood',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ connector: 'http', url: `${sink.url}/`, allowPrivate: true, ...more }),
  });
}

function lines(count: number): string {
  return Array.from(
    { length: count },
    (_, n) => `{"to":"+31612345678","body":"Flood ${n}","ref":"r${n}"}\n`,
  ).join('');
}

async function ledgerOf(sink: MillraceProcess): Promise<Ledger> {
  return (await (await fetch(`${sink.url}/ledger`)).json()) as Ledger;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 90_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('the condition did not come to hold in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test.each([
  ['one message a request', {}, 5_000],
  ['five hundred a request', { batch: { max: 500 } }, 60_000],
])(
  'a flood is delivered exactly once, %s',
  async (_name, route, count) => {
    const { url } = await createTestDatabase();
    const [sink, server] = await Promise.all([
      startProcess(['sink', '--port', '0']),
      startServer(url, '/tmp'),
    ]);
    await setRoute(server, sink, route);
    const batch = await call(server, {
      method: 'POST',
      path: '/v1/batches?route=flood',
      headers: ndjson,
      body: lines(count),
    });
    expect(batch.counts.accepted).toBe(count);
    const shown = () => call(server, { path: `/v1/batches/${batch.id}` });
    await until(async () => (await shown()).state === 'done');
    expect(await ledgerOf(sink)).toMatchObject({ received: count, distinct: count, duplicates: 0 });
    expect((await shown()).counts).toMatchObject({ accepted: count, sent: count, queued: 0 });
    expect(await server.stop()).toBe(0);
    await sink.stop();
  },
  120_000,
);

test('servers that are stopped and started amid a flood lose and double nothing', async () => {
  const count = 40_000;
  const { url } = await createTestDatabase();
  const [sink, first] = await Promise.all([startProcess(['sink', '--port', '0']), startServer(url, '/tmp')]);
  await setRoute(first, sink, { batch: { max: 50 }, ratePerSecond: 10_000 });
  const batch = await call(first, {
    method: 'POST',
    path: '/v1/batches?route=flood',
    headers: ndjson,
    body: lines(count),
  });
  let server = first;
  for (const share of [0.3, 0.7]) {
    await until(async () => (await ledgerOf(sink)).distinct >= share * count);
    expect(await server.stop()).toBe(0);
    server = await startServer(url, '/tmp');
  }
  await until(async () => (await call(server, { path: `/v1/batches/${batch.id}` })).state === 'done');
  expect(await ledgerOf(sink)).toMatchObject({ received: count, distinct: count, duplicates: 0 });
  await server.stop();
  await sink.stop();
}, 180_000);

test('a server that is killed amid a flood loses nothing', async () => {
  const count = 20_000;
  const { url } = await createTestDatabase();
  const [sink, first] = await Promise.all([startProcess(['sink', '--port', '0']), startServer(url, '/tmp')]);
  await setRoute(first, sink, { batch: { max: 50 }, ratePerSecond: 10_000 });
  const batch = await call(first, {
    method: 'POST',
    path: '/v1/batches?route=flood',
    headers: ndjson,
    body: lines(count),
  });
  await until(async () => (await ledgerOf(sink)).distinct >= count / 2);
  await first.kill();
  const atKill = await settledLedger(sink);
  const recorded = await recordedSent(url, batch.id);
  const server = await startServer(url, '/tmp');
  await until(async () => (await call(server, { path: `/v1/batches/${batch.id}` })).state === 'done');
  const ledger = await ledgerOf(sink);
  expect(ledger.distinct).toBe(count);
  // What had been handed over and was not recorded yet is sent again, and nothing else.
  expect(ledger.duplicates).toBeLessThanOrEqual(atKill.received - recorded);
  await server.stop();
  await sink.stop();
}, 180_000);

/** Once the provider has read what a dead server had written. */
async function settledLedger(sink: MillraceProcess): Promise<Ledger> {
  let ledger = await ledgerOf(sink);
  let alike = 0;
  await until(async () => {
    const now = await ledgerOf(sink);
    alike = now.received === ledger.received ? alike + 1 : 0;
    ledger = now;
    return alike === 5;
  });
  return ledger;
}

async function recordedSent(url: string, batch: string): Promise<number> {
  const database = openDatabase({ url, poolSize: 1, name: 'flood test' });
  try {
    return (await progressOf(database, batch))[stateNumber.sent] ?? 0;
  } finally {
    await database.close();
  }
}
