import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DeliveryHost, startDelivery } from '../../src/delivery/processes/delivery-host.ts';
import { until } from '../delivery/mill.ts';
import { testSecretKey } from '../support/test-secrets.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;
let worker: DeliveryHost;
let provider: Server;
let account: { id: string; key: string };
let stranger: { id: string; key: string };

/** A provider that takes every request and breaks the connection: nobody knows whether it has sent the message. */
beforeAll(async () => {
  api = await startApi();
  provider = createServer((request) => request.once('data', () => request.socket.destroy()));
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  worker = await startDelivery({
    databaseUrl: api.databaseUrl,
    secretKeys: testSecretKey,
    poolSize: 3,
    namedStatements: true,
    leaseMs: 5_000,
    logLevel: 'silent',
    onReport() {},
    onFailure(error) {
      throw error;
    },
  });
  account = await api.makeAccount('Account', ['send', 'read', 'manage']);
  stranger = await api.makeAccount('Stranger', ['send', 'read', 'manage']);
  const { port } = provider.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/`;
  const body = { connector: 'http', url, allowPrivate: true, onUncertain: 'hold', breaker: false };
  expect((await api.call('PUT', '/v1/routes/held', { body })).status).toBe(201);
});

afterAll(async () => {
  await worker.stop({ deadlineMs: 5_000 });
  await api.stop();
  provider.close();
});

function get(path: string, key = account.key) {
  return api.call('GET', path, { key });
}

function post(path: string, body?: unknown, key = account.key) {
  return api.call('POST', path, { key, body });
}

async function uncertainMessages(count: number): Promise<string[]> {
  const messages = Array.from({ length: count }, (_, n) => ({
    to: `+3161234567${n}`,
    body: 'x',
    route: 'held',
  }));
  const { json } = await post('/v1/messages', messages);
  const ids: string[] = json.messages.map(({ id }: { id: string }) => id);
  for (const id of ids) await until(async () => (await get(`/v1/messages/${id}`)).json.state === 'uncertain');
  return ids;
}

async function listed(state: string, key = account.key): Promise<string[]> {
  const { status, json } = await get(`/v1/messages?state=${state}`, key);
  expect(status).toBe(200);
  return json.data.map(({ id }: { id: string }) => id);
}

test('uncertain messages that were sent singly are listed for their account, and settled one by one', async () => {
  const ids = await uncertainMessages(3);
  expect(await listed('uncertain')).toEqual(ids.toReversed());
  expect(await listed('uncertain', stranger.key)).toEqual([]);
  expect((await post(`/v1/messages/${ids[0]}/resolve`, { as: 'sent' }, stranger.key)).status).toBe(404);

  const sent = await post(`/v1/messages/${ids[0]}/resolve`, { as: 'sent' });
  expect(sent).toMatchObject({ status: 200, json: { id: ids[0], state: 'sent', attempts: 1 } });
  const failed = await post(`/v1/messages/${ids[1]}/resolve`, { as: 'failed' });
  expect(failed).toMatchObject({ status: 200, json: { state: 'failed', error: { code: 'resolved' } } });
  expect(await listed('uncertain')).toEqual([ids[2]]);
  expect(await listed('failed')).toEqual([ids[1]]);

  const again = await post(`/v1/messages/${ids[0]}/resolve`, { as: 'failed' });
  expect(again).toMatchObject({ status: 409, json: { code: 'conflict' } });
  expect(again.json.detail).toContain('The message is sent');
  expect((await post(`/v1/messages/${ids[2]}/resolve`, { as: 'lost' })).status).toBe(422);
  expect((await post(`/v1/messages/${ids[2]}/resolve`)).status).toBe(422);
});

test('one key settles one way: with another decision it is refused', async () => {
  const [id] = await uncertainMessages(1);
  const headers = { 'idempotency-key': 'settle-once' };
  const resolve = (as: string) =>
    api.call('POST', `/v1/messages/${id}/resolve`, { key: account.key, body: { as }, headers });
  expect((await resolve('sent')).json.state).toBe('sent');
  expect((await resolve('sent')).json.state).toBe('sent');
  expect(await resolve('failed')).toMatchObject({ status: 422, json: { code: 'idempotency_key_reused' } });
});

test('a batch counts what is settled of it one by one, and says how many it settles at once', async () => {
  const lines = Array.from({ length: 4 }, (_, n) => `{"to":"+3161234567${n}","body":"x"}`);
  const headers = { 'content-type': 'application/x-ndjson' };
  const made = await api.call('POST', '/v1/batches?route=held', {
    key: account.key,
    body: lines.join('\n'),
    headers,
  });
  const path = `/v1/batches/${made.json.id}`;
  await until(async () => (await get(path)).json.state === 'done');
  const { json } = await get(`${path}/messages?state=uncertain`);
  await post(`/v1/messages/${json.data[0].id}/resolve`, { as: 'sent' });
  await until(async () => (await get(path)).json.state === 'done');
  expect((await get(path)).json.counts).toMatchObject({ sent: 1, uncertain: 3 });
  expect((await post(`${path}/resolve`, { as: 'failed' })).json).toMatchObject({
    settled: 3,
    counts: { sent: 1, failed: 3, uncertain: 0 },
  });
  expect((await post(`${path}/resolve`, { as: 'failed' })).json).toMatchObject({ settled: 0 });
});
