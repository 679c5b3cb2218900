import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type DeliveryHost, startDelivery } from '../../src/delivery/processes/delivery-host.ts';
import { type Sink, startSink } from '../../src/sink/start-sink.ts';
import { until } from '../delivery/mill.ts';
import { testSecretKey } from '../support/test-secrets.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;
let sink: Sink;
const workers: DeliveryHost[] = [];

beforeAll(async () => {
  [api, sink] = await Promise.all([startApi(), startSink({ port: 0 })]);
});

afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop({ deadlineMs: 5_000 })));
});

afterAll(async () => {
  await api.stop();
  await sink.stop();
});

async function startWorker(): Promise<void> {
  const settings = {
    secretKeys: testSecretKey,
    poolSize: 3,
    namedStatements: true,
    leaseMs: 5_000,
    logLevel: 'warn',
  } as const;
  const onFailure = (error: unknown) => {
    throw error;
  };
  workers.push(await startDelivery({ ...settings, databaseUrl: api.databaseUrl, onReport() {}, onFailure }));
}

async function makeRoute(name: string, options: Record<string, unknown> = {}): Promise<void> {
  const body = { connector: 'http', url: `${sink.url}/`, allowPrivate: true, ...options };
  expect((await api.call('PUT', `/v1/routes/${name}`, { body })).status).toBeLessThan(300);
}

async function send(route: string, count: number): Promise<void> {
  const body = Array.from({ length: count }, () => ({ to: '+31612345678', body: 'hello', route }));
  expect((await api.call('POST', '/v1/messages', { body })).status).toBe(202);
}

async function sendMany(route: string, count: number): Promise<void> {
  const body = '{"to":"+31612345678","body":"x"}\n'.repeat(count);
  const headers = { 'content-type': 'application/x-ndjson' };
  expect((await api.call('POST', `/v1/batches?route=${route}`, { body, headers })).status).toBe(201);
}

test('a paused route sends nothing, on any worker and after their restart, and goes on when it is resumed', async () => {
  await makeRoute('switched');
  await makeRoute('other');
  await Promise.all([startWorker(), startWorker()]);
  await send('switched', 1);
  await until(() => sink.ledger().received === 1);

  const paused = await api.call('POST', '/v1/routes/switched/pause');
  expect([paused.status, paused.json.paused]).toEqual([200, true]);
  expect((await api.call('GET', '/v1/routes/switched')).json.paused).toBe(true);
  const { version } = api.context.control.routeByName('switched')!;
  await api.call('POST', '/v1/routes/switched/pause');
  expect(api.context.control.routeByName('switched')!.version).toBe(version);
  // Replacing its settings is not resuming it.
  await makeRoute('switched', { ratePerSecond: 1_000 });
  await Promise.all(workers.splice(0).map((worker) => worker.stop({ deadlineMs: 5_000 })));
  await Promise.all([startWorker(), startWorker()]);
  await send('switched', 20);
  await send('other', 20);
  await until(() => sink.ledger().received === 21);

  expect((await api.call('POST', '/v1/routes/switched/resume')).json.paused).toBe(false);
  await until(() => sink.ledger().received === 41);
  expect(sink.ledger().duplicates).toBe(0);
});

test('a running route that is paused stops before another of its rate has sent for a second more', async () => {
  const clock = await startSink({ port: 0 });
  try {
    const ratePerSecond = 50;
    await makeRoute('running', { ratePerSecond });
    await makeRoute('clock', { ratePerSecond, url: `${clock.url}/` });
    await startWorker();
    await Promise.all([sendMany('running', 2_000), sendMany('clock', 2_000)]);
    const before = sink.ledger().received;
    await until(() => sink.ledger().received > before + 20);
    await api.call('POST', '/v1/routes/running/pause');
    const ticks = clock.ledger().received;
    await until(() => clock.ledger().received >= ticks + ratePerSecond);
    const stopped = sink.ledger().received;
    await until(() => clock.ledger().received >= ticks + 2 * ratePerSecond);
    expect(sink.ledger().received).toBe(stopped);
    await api.call('POST', '/v1/routes/running/resume');
    await until(() => sink.ledger().received > stopped + 20);
  } finally {
    for (const name of ['running', 'clock']) await api.call('POST', `/v1/routes/${name}/pause`);
    await Promise.all(workers.splice(0).map((worker) => worker.stop({ deadlineMs: 5_000 })));
    await clock.stop();
  }
});

test('a test message goes to the provider at once, on a paused route too, and leaves nothing', async () => {
  await makeRoute('tried');
  await api.call('POST', '/v1/routes/tried/pause');
  const before = sink.ledger().received;
  const answer = await api.call('POST', '/v1/routes/tried/test', { body: { to: '+31612345678' } });
  expect(answer.status).toBe(200);
  expect(answer.json).toMatchObject({ result: 'sent', providerRef: expect.any(String) });
  expect(answer.json.elapsedMs).toBeGreaterThanOrEqual(0);
  expect(sink.ledger().received).toBe(before + 1);
  expect((await api.call('GET', `/v1/messages/${answer.json.id}`)).status).toBe(404);
  const found = await api.call('GET', '/v1/messages?to=%2B31612345678&limit=200');
  expect(found.json.data.map(({ route }: { route: string }) => route)).not.toContain('tried');
});

test('what the provider refuses, and what cannot be reached, is told', async () => {
  const refusing = await startSink({ port: 0, failRate: 1, failStatus: 400 });
  try {
    await makeRoute('refused', { url: `${refusing.url}/` });
    const refused = await api.call('POST', '/v1/routes/refused/test', { body: { to: '+31612345678' } });
    expect([refused.status, refused.json.result]).toEqual([200, 'rejected']);
    expect(refused.json.error.detail).not.toBe('');
  } finally {
    await refusing.stop();
  }
  await makeRoute('nobody', { url: `${refusing.url}/` });
  const { json } = await api.call('POST', '/v1/routes/nobody/test', { body: { to: '+31612345678' } });
  expect(json).toMatchObject({ result: 'retry', error: { code: expect.any(String) } });
});

test('a test with an idempotency key is made once', async () => {
  await makeRoute('keyed');
  const before = sink.ledger().received;
  const options = { body: { to: '+31612345678' }, headers: { 'idempotency-key': 'try-1' } };
  const first = await api.call('POST', '/v1/routes/keyed/test', options);
  const second = await api.call('POST', '/v1/routes/keyed/test', options);
  expect(second.json).toEqual(first.json);
  expect(second.headers.get('idempotent-replayed')).toBe('true');
  expect(sink.ledger().received).toBe(before + 1);
});

test('bad tests and switches are refused, and only administrators make them', async () => {
  await makeRoute('strict', { channel: 'email' });
  const call = (verb: string, body?: unknown) => api.call('POST', `/v1/routes/strict/${verb}`, { body });
  expect((await call('test', { to: '+31612345678' })).json.code).toBe('validation_failed');
  expect((await call('test', { to: 'a@example.org', colour: 'red' })).status).toBe(422);
  expect((await call('test', {})).status).toBe(422);
  const { key } = await api.makeAccount('Sender', ['send', 'read', 'manage']);
  for (const verb of ['pause', 'resume', 'test']) {
    const body = verb === 'test' ? { to: 'a@example.org' } : undefined;
    expect((await api.call('POST', `/v1/routes/strict/${verb}`, { key, body })).status).toBe(403);
    expect((await api.call('POST', `/v1/routes/none/${verb}`, { body })).status).toBe(404);
  }
});
