import { afterAll, beforeAll, expect, test } from 'vitest';
import { findInDatabase } from '../support/find-in-database.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.stop());

const secret = 'Basic aHVudGVyMjpodW50ZXIy';
const body = { connector: 'http', url: 'https://provider.example/x', headers: { authorization: secret } };

test('no byte of a route’s credentials is in the database, its stored answers included', async () => {
  const headers = { 'idempotency-key': 'route-1' };
  const first = await api.call('PUT', '/v1/routes/sms', { body, headers });
  expect([first.status, first.json.headers.authorization]).toEqual([201, secret]);
  await api.call('POST', '/v1/routes/sms/pause', { headers: { 'idempotency-key': 'route-2' } });
  expect(await findInDatabase(api.databaseUrl, 'aHVudGVyMjpodW50ZXIy')).toEqual([]);
  expect(await findInDatabase(api.databaseUrl, 'provider.example')).toEqual([]);

  const replayed = await api.call('PUT', '/v1/routes/sms', { body, headers });
  expect(replayed.headers.get('idempotent-replayed')).toBe('true');
  expect(replayed.json).toEqual(first.json);
});

test('the search that finds no secret finds what is not one', async () => {
  expect(await findInDatabase(api.databaseUrl, 'sms')).toContain('route.name');
});

test('administrators see the credentials, other keys do not', async () => {
  const { key } = await api.makeAccount('Reader', ['read']);
  expect((await api.call('GET', '/v1/routes/sms')).json.headers.authorization).toBe(secret);
  for (const path of ['/v1/routes/sms', '/v1/routes']) {
    const { text } = await api.call('GET', path, { key });
    expect(text).toContain('sms');
    expect(text).not.toContain('provider.example');
  }
});
