import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DeliveryHost, startDelivery } from '../../src/delivery/processes/delivery-host.ts';
import { type Sink, startSink } from '../../src/sink/start-sink.ts';
import { testSecretKey } from '../support/test-secrets.ts';
import { type LiveEvents, openLive } from './live-events.ts';
import { startApi, type TestApi } from './start-api.ts';

const count = 4_000;
let api: TestApi;
let sink: Sink;
let workers: DeliveryHost[];
let one: { id: string; key: string };
let other: { id: string; key: string };
const opened: LiveEvents[] = [];

beforeAll(async () => {
  [api, sink] = await Promise.all([startApi({ pollMs: 50 }), startSink({ port: 0 })]);
  workers = await Promise.all([startWorker(), startWorker()]);
  one = await api.makeAccount('One', ['send', 'read']);
  other = await api.makeAccount('Other', ['send', 'read']);
  const http = { connector: 'http', channel: 'sms', allowPrivate: true };
  for (const [name, route] of [
    ['busy', { url: `${sink.url}/`, ratePerSecond: 200 }],
    // Nothing listens there.
    ['down', { url: 'http://127.0.0.1:9/', ratePerSecond: 50 }],
  ] as const) {
    const made = await api.call('PUT', `/v1/routes/${name}`, { body: { ...http, ...route } });
    expect(made.status).toBe(201);
  }
});

afterAll(async () => {
  for (const live of opened) live.close();
  await Promise.all(workers.map((worker) => worker.stop({ deadlineMs: 5_000 })));
  await api.stop();
  await sink.stop();
});

function startWorker(): Promise<DeliveryHost> {
  return startDelivery({
    databaseUrl: api.databaseUrl,
    secretKeys: testSecretKey,
    poolSize: 3,
    namedStatements: true,
    leaseMs: 5_000,
    logLevel: 'error',
    onReport() {},
    onFailure(error) {
      throw error;
    },
  });
}

async function open(key = api.adminKey, headers: Record<string, string> = {}): Promise<LiveEvents> {
  const live = await openLive(api.url, { authorization: `Bearer ${key}`, ...headers });
  opened.push(live);
  return live;
}

async function flood(key: string, route: string): Promise<void> {
  const body = '{"to":"+31612345678","body":"x"}\n'.repeat(count);
  const headers = { 'content-type': 'application/x-ndjson' };
  expect((await api.call('POST', `/v1/batches?route=${route}`, { key, body, headers })).status).toBe(201);
}

test('a snapshot tells what comes in, what leaves, what waits and why, over all workers', async () => {
  const live = await open();
  expect(live.status).toBe(200);
  expect(live.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(live.headers.get('cache-control')).toBe('no-store');
  await live.until(({ told }) => told.workers === 2 && told.reporting === 2);
  const accepted = live.until(({ rates }) => rates.accepted > 0);
  await Promise.all([flood(one.key, 'busy'), flood(other.key, 'down')]);
  expect((await accepted).rates.accepted).toBeLessThanOrEqual(2.5 * count);
  const flowing = await live.until(
    ({ rates, routes, errors, lanes }) =>
      rates.sent > 50 &&
      lanes.length === 2 &&
      errors.length > 0 &&
      routes.find(({ name }) => name === 'down')?.breaker === 'open',
  );
  expect(flowing.rates.sent).toBeLessThan(500);
  expect(flowing.backlog.queued).toBeGreaterThan(count);
  expect(Math.abs(Date.parse(flowing.backlog.oldestDueAt!) - Date.now())).toBeLessThan(60_000);
  expect(flowing.accounts).toEqual({ [one.id]: 'One', [other.id]: 'Other' });
  expect(flowing.routes.map(({ name }) => name)).toEqual(['busy', 'down']);
  const [busy, down] = flowing.routes as [(typeof flowing.routes)[0], (typeof flowing.routes)[0]];
  expect(busy.sent).toBeGreaterThan(0);
  expect(down.sent).toBe(0);
  expect(down.lastError!.code).toBe('connection_refused');
  expect(flowing.errors[0]).toMatchObject({ accountId: other.id, route: 'down', code: 'connection_refused' });
  expect(flowing.workers).toHaveLength(2);
  expect(flowing.workers!.reduce((sum, { shards }) => sum + shards, 0)).toBe(1_024);
  expect(flowing.unownedShards).toBe(0);
});

test('an account sees its own figures alone, also through an administrator who acts for it', async () => {
  for (const live of [await open(one.key), await open(api.adminKey, { 'millrace-account': one.id })]) {
    const view = await live.until(({ rates }) => rates.sent > 0);
    expect(view.lanes.map(({ accountId }) => accountId)).toEqual([one.id]);
    expect(view.routes.map(({ name }) => name)).toEqual(['busy']);
    expect([view.errors, view.workers, view.unownedShards]).toEqual([[], null, null]);
    expect(view.backlog.queued).toBeLessThanOrEqual(count);
    expect(view.accounts).toEqual({ [one.id]: 'One' });
  }
});

test('a route that keeps within its rate shows what its workers may send together', async () => {
  const live = await open();
  const view = await live.until(({ routes }) => (routes[0]?.ratePerSecond ?? 0) > 100);
  expect(view.routes[0]!.ratePerSecond).toBeLessThanOrEqual(200.001);
});

test('a key needs the scope read, and a stream ends when its key is revoked', async () => {
  const { json: key } = await api.call('POST', '/v1/keys', { body: { accountId: one.id, scopes: ['send'] } });
  expect((await api.call('GET', '/v1/live', { key: key.key })).status).toBe(403);
  const { json: reader } = await api.call('POST', '/v1/keys', {
    body: { accountId: one.id, scopes: ['read'] },
  });
  const live = await open(reader.key);
  expect((await live.next())!.name).toBe('snapshot');
  expect((await api.call('DELETE', `/v1/keys/${reader.id}`)).status).toBeLessThan(300);
  let events = 0;
  while ((await live.next()) !== undefined) expect(++events).toBeLessThan(10);
});

test('one key may have so many streams, and gets its place back', async () => {
  const { json: reader } = await api.call('POST', '/v1/keys', {
    body: { accountId: one.id, scopes: ['read'] },
  });
  const streams = await Promise.all(Array.from({ length: 32 }, () => open(reader.key)));
  expect(streams.map(({ status }) => status)).toEqual(Array(32).fill(200));
  const refused = await api.call('GET', '/v1/live', { key: reader.key });
  expect([refused.status, refused.json.code]).toEqual([429, 'rate_limited']);
  expect(refused.headers.get('retry-after')).toBe('5');
  streams[0]!.close();
  await expect
    .poll(async () => {
      const again = await open(reader.key);
      return again.status;
    })
    .toBe(200);
});

test('a page is told whose key it has', async () => {
  const { json } = await api.call('GET', '/v1/caller', { key: one.key });
  expect(json).toMatchObject({ accountId: one.id, accountName: 'One', scopes: ['send', 'read'] });
  expect((await api.call('GET', '/v1/caller', { key: null })).status).toBe(401);
});
