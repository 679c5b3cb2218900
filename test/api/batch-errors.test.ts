import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DeliveryHost, startDelivery } from '../../src/delivery/processes/delivery-host.ts';
import { type Sink, startSink } from '../../src/sink/start-sink.ts';
import { until } from '../delivery/mill.ts';
import { testSecretKey } from '../support/test-secrets.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;
let sink: Sink;
let worker: DeliveryHost;

beforeAll(async () => {
  [api, sink] = await Promise.all([startApi(), startSink({ port: 0 })]);
  worker = await startDelivery({
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
});

afterAll(async () => {
  await worker.stop({ deadlineMs: 5_000 });
  await api.stop();
  await sink.stop();
});

test('the errors of a batch are told by code and by what they made of messages, each with an example', async () => {
  const retry = { attemptsMax: 1 };
  const route = { connector: 'http', channel: 'sms', allowPrivate: true, breaker: false, retry };
  const made = await api.call('PUT', '/v1/routes/down', { body: { ...route, url: 'http://127.0.0.1:9/' } });
  expect(made.status).toBe(201);
  const body = '{"to":"+31612345678","body":"x"}\n'.repeat(20);
  const headers = { 'content-type': 'application/x-ndjson' };
  const { json: batch } = await api.call('POST', '/v1/batches?route=down', { body, headers });
  await until(async () => (await api.call('GET', `/v1/batches/${batch.id}`)).json.counts.failed === 20);
  const { status, json } = await api.call('GET', `/v1/batches/${batch.id}/errors`);
  expect(status).toBe(200);
  expect(json.data).toHaveLength(1);
  for (const error of json.data) {
    expect(error).toMatchObject({ code: 'connection_refused', state: 'failed', messages: 20 });
    const example = await api.call('GET', `/v1/messages/${error.example.id}`);
    expect(example.json.batchId).toBe(batch.id);
    expect(example.json.error).toEqual({ code: 'connection_refused', detail: error.example.detail });
    expect(Math.abs(Date.parse(error.lastAt) - Date.now())).toBeLessThan(600_000);
  }
});

test('a batch without errors has none, and another account sees nothing of it', async () => {
  const { json: batch } = await api.call('POST', '/v1/batches', { body: { route: 'down' } });
  expect((await api.call('GET', `/v1/batches/${batch.id}/errors`)).json).toEqual({ data: [] });
  const stranger = await api.makeAccount('Stranger', ['read']);
  expect((await api.call('GET', `/v1/batches/${batch.id}/errors`, { key: stranger.key })).status).toBe(404);
});
