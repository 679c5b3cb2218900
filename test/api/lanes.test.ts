import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LaneShown } from '../../src/api/reading/show-lanes.ts';
import { type DeliveryHost, startDelivery } from '../../src/delivery/processes/delivery-host.ts';
import type { DoctorContext } from '../../src/doctor/check.ts';
import { routes } from '../../src/doctor/checks/routes.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type Sink, startSink } from '../../src/sink/start-sink.ts';
import { until } from '../delivery/mill.ts';
import { testSecretKey } from '../support/test-secrets.ts';
import { startApi, type TestApi } from './start-api.ts';

const count = 3_000;
let api: TestApi;
let sink: Sink;
let workers: DeliveryHost[];
let light: { id: string; key: string };
let heavy: { id: string; key: string };

beforeAll(async () => {
  [api, sink] = await Promise.all([startApi(), startSink({ port: 0 })]);
  workers = await Promise.all([startWorker(), startWorker()]);
  light = await api.makeAccount('Light', ['send', 'read']);
  heavy = await api.makeAccount('Heavy', ['send', 'read']);
  await api.call('PATCH', `/v1/accounts/${heavy.id}`, { body: { weight: 3 } });
  for (const [name, ratePerSecond] of [
    ['busy', 100],
    ['stopped', 100],
  ] as const) {
    const body = { connector: 'http', url: `${sink.url}/`, allowPrivate: true, ratePerSecond };
    expect((await api.call('PUT', `/v1/routes/${name}`, { body })).status).toBe(201);
  }
  await api.call('POST', '/v1/routes/stopped/pause');
});

afterAll(async () => {
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
    logLevel: 'warn',
    onReport() {},
    onFailure(error) {
      throw error;
    },
  });
}

async function flood(key: string, route: string): Promise<void> {
  const body = '{"to":"+31612345678","body":"x"}\n'.repeat(count);
  const headers = { 'content-type': 'application/x-ndjson' };
  expect((await api.call('POST', `/v1/batches?route=${route}`, { key, body, headers })).status).toBe(201);
}

async function lanes(key = api.adminKey, query = ''): Promise<LaneShown[]> {
  const answer = await api.call('GET', `/v1/lanes${query}`, { key });
  expect(answer.status).toBe(200);
  return answer.json.data;
}

test('workers tell nothing while nobody looks', async () => {
  await flood(light.key, 'busy');
  await until(() => sink.ledger().received > 150);
  const { rows } = await api.context.database.query<{ reports: number }>({
    name: 'test_reports',
    text: 'SELECT count(*)::int AS reports FROM worker_report',
  });
  expect(rows[0]!.reports).toBe(0);
});

test('lanes are told over all workers: what waits, since when, how fast it flows, and whose share is what', async () => {
  // The first look waits until it can say how fast the lane flows.
  expect((await lanes(api.adminKey, '?route=busy'))[0]!.sentPerSecond).toBeGreaterThan(0);
  await Promise.all([flood(heavy.key, 'busy'), flood(heavy.key, 'stopped')]);
  await until(async () => (await lanes()).filter(({ sentPerSecond }) => sentPerSecond > 0).length === 2);
  const all = await lanes();
  expect(all.map(({ route, accountId }) => `${route} ${accountId}`)).toEqual([
    `busy ${light.id}`,
    `busy ${heavy.id}`,
    `stopped ${heavy.id}`,
  ]);
  const [lightLane, heavyLane, stopped] = all as [LaneShown, LaneShown, LaneShown];
  expect([lightLane.share, heavyLane.share, stopped.share]).toEqual([0.25, 0.75, 1]);
  expect(lightLane).toMatchObject({ priority: 'bulk', paused: false, breaker: 'closed' });
  expect(stopped).toMatchObject({ queued: count, sentPerSecond: 0, paused: true });
  expect(Date.parse(lightLane.oldestDueAt!)).toBeLessThan(Date.now() + 1_000);
  // Chunks of a thousand are pending as a whole; what was sent of them is known in memory alone.
  const received = sink.ledger().received;
  const busy = await lanes(api.adminKey, '?route=busy');
  const left = busy.reduce((sum, { queued }) => sum + queued, 0);
  expect(left).toBeLessThanOrEqual(2 * count - received + 200);
  expect(left % 1_000).not.toBe(0);
});

test('an account sees its own lanes, and pages skip and repeat nothing', async () => {
  expect((await lanes(light.key)).map(({ accountId }) => accountId)).toEqual([light.id]);
  expect((await lanes(light.key))[0]!.share).toBe(0.25);
  const seen: string[] = [];
  for (let next: string | null = ''; next !== null; ) {
    const query: string = next === '' ? '' : `&after=${encodeURIComponent(next)}`;
    const page = await api.call('GET', `/v1/lanes?limit=1${query}`);
    seen.push(...page.json.data.map(({ route, accountId }: LaneShown) => `${route} ${accountId}`));
    next = page.json.next;
  }
  expect(seen).toEqual([`busy ${light.id}`, `busy ${heavy.id}`, `stopped ${heavy.id}`]);
  expect((await api.call('GET', '/v1/lanes?after=nonsense')).status).toBe(422);
  expect((await api.call('GET', '/v1/lanes?colour=red')).status).toBe(422);
});

test('a lane tells how many of its messages wait for their destination', async () => {
  const destinations = [{ match: '+31', ratePerSecond: 1 }];
  const body = { connector: 'http', channel: 'sms', url: `${sink.url}/`, allowPrivate: true, destinations };
  expect((await api.call('PUT', '/v1/routes/shaped', { body })).status).toBe(201);
  await flood(light.key, 'shaped');
  await until(async () => ((await lanes(api.adminKey, '?route=shaped'))[0]?.aside ?? 0) > count / 2);
  const [lane] = await lanes(api.adminKey, '?route=shaped');
  expect(lane!.aside).toBeLessThanOrEqual(lane!.queued);
});

test('a lane tells what holds it: a paused batch, and the limit of its account', async () => {
  const slow = await api.makeAccount('Slow', ['send', 'read', 'manage']);
  await api.call('PATCH', `/v1/accounts/${slow.id}`, { body: { limits: { ratePerSecond: 7 } } });
  const headers = { 'content-type': 'application/x-ndjson' };
  const lines = '{"to":"+31612345678","body":"x"}\n'.repeat(50);
  const post = () => api.call('POST', '/v1/batches?route=stopped', { key: slow.key, body: lines, headers });
  const { id } = (await post()).json;
  await post();
  expect((await api.call('POST', `/v1/batches/${id}/pause`, { key: slow.key })).status).toBe(200);
  expect(await lanes(slow.key)).toMatchObject([
    { queued: 100, held: 50, accountRatePerSecond: 7, paused: true },
  ]);
});

test('a lane tells what holds it: the window of its route, and those of its batches', async () => {
  const clock = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 16);
  const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
  const sendWindow = { days, from: clock(4), to: clock(6), timeZone: 'UTC' };
  const night = await api.makeAccount('Night', ['send', 'read']);
  const body = { connector: 'http', url: `${sink.url}/`, allowPrivate: true, channel: 'sms', sendWindow };
  expect((await api.call('PUT', '/v1/routes/night', { body })).status).toBe(201);
  const lines = [{ to: '+31612345678' }, { to: '+31612345679' }];
  await api.call('POST', '/v1/batches?route=night', { key: night.key, body: lines });
  const [lane] = await lanes(night.key);
  expect(lane).toMatchObject({ queued: 2, held: 0, paused: false });
  expect(lane!.opensAt!.slice(11, 16)).toBe(sendWindow.from);
  const made = await api.call('POST', '/v1/batches', { key: night.key, body: { route: 'busy', sendWindow } });
  const path = `/v1/batches/${made.json.id}/messages?close=true`;
  await api.call('POST', path, { key: night.key, body: [{ to: '+31612345678' }] });
  const busy = () => lanes(night.key, '?route=busy');
  expect(await busy()).toMatchObject([{ queued: 1, held: 1, opensAt: null }]);
  const { sendWindow: _taken, ...open } = body;
  expect((await api.call('PUT', '/v1/routes/night', { body: open })).json.sendWindow).toBeNull();
  await until(async () => (await lanes(night.key, '?route=night')).length === 0);
  expect(await busy()).toMatchObject([{ queued: 1, held: 1 }]);
});

test('a lane tells the last error of a provider that is down', async () => {
  // Port 1 is nobody's: tcpmux, which no system runs any more.
  const body = { connector: 'http', url: 'http://127.0.0.1:1/', allowPrivate: true };
  expect((await api.call('PUT', '/v1/routes/down', { body })).status).toBe(201);
  await flood(light.key, 'down');
  await until(async () => (await lanes(api.adminKey, '?route=down'))[0]?.breaker === 'open');
  const [lane] = await lanes(light.key, '?route=down');
  expect(lane!.lastError).toEqual({ code: 'connection_refused', at: expect.any(String) });
  const busy = await lanes(api.adminKey, '?route=stopped');
  expect(busy[0]!.lastError).toBeNull();
  const findings = await routes.run({ database: api.context.database, clock: systemClock } as DoctorContext);
  expect(findings.map(({ severity, summary }) => `${severity} ${summary.slice(0, 24)}`).sort()).toEqual([
    'error route down sends nothing',
    'warning route stopped is paused,',
  ]);
});
