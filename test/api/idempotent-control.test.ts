import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;
let database: Database;

beforeAll(async () => {
  api = await startApi();
  database = openDatabase({ url: api.databaseUrl, poolSize: 1, name: 'test' });
});

afterAll(async () => {
  await database.close();
  await api.stop();
});

/** As after a server that died between its commit and its answer. */
async function forgetAnswer(key: string): Promise<void> {
  const { rowCount } = await database.query(
    {
      name: 'forget',
      text: `UPDATE idempotency SET status = NULL, answer = NULL, locked_until = now() - interval '1 s' WHERE key = $1`,
    },
    [key],
  );
  expect(rowCount).toBe(1);
}

const post = (path: string, key: string, body: unknown) =>
  api.call('POST', path, { body, headers: { 'idempotency-key': key } });

test('an account is made once for a key, also when the first answer was lost', async () => {
  const first = await post('/v1/accounts', 'a1', { name: 'Once', weight: 3 });
  expect(first.status).toBe(201);
  const replayed = await post('/v1/accounts', 'a1', { name: 'Once', weight: 3 });
  expect([replayed.status, replayed.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
  expect(replayed.json).toEqual(first.json);

  await forgetAnswer('a1');
  const resumed = await post('/v1/accounts', 'a1', { name: 'Once', weight: 3 });
  expect([resumed.status, resumed.json]).toEqual([201, first.json]);

  const reused = await post('/v1/accounts', 'a1', { name: 'Twice' });
  expect([reused.status, reused.json.code]).toEqual([422, 'idempotency_key_reused']);
});

test('a key whose answer was lost is made anew under the same id, and the lost one does not work', async () => {
  const first = await post('/v1/keys', 'k1', { scopes: ['read'] });
  await forgetAnswer('k1');
  const second = await post('/v1/keys', 'k1', { scopes: ['read'] });
  expect(second.json.id).toBe(first.json.id);
  expect(second.json.key).not.toBe(first.json.key);
  expect((await api.call('GET', '/v1/routes', { key: first.json.key })).status).toBe(401);
  expect((await api.call('GET', '/v1/routes', { key: second.json.key })).status).toBe(200);
});

test('a rotation whose answer was lost is done once', async () => {
  const old = (await post('/v1/keys', 'k2', { scopes: ['read'] })).json;
  const first = await post(`/v1/keys/${old.id}/rotate`, 'r1', {});
  await forgetAnswer('r1');
  const second = await post(`/v1/keys/${old.id}/rotate`, 'r1', {});
  expect([second.status, second.json.id]).toEqual([201, first.json.id]);
  expect((await api.call('GET', '/v1/routes', { key: second.json.key })).status).toBe(200);
});

test('a refused write does not keep its key', async () => {
  await api.call('POST', '/v1/accounts', { body: { name: 'Taken' } });
  expect((await post('/v1/accounts', 'a2', { name: 'Taken' })).status).toBe(409);
  expect((await post('/v1/accounts', 'a2', { name: 'Free' })).status).toBe(201);
});
