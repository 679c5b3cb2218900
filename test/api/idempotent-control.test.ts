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

test('a key is for one write alone, whichever it is', async () => {
  await post('/v1/accounts', 'other', { name: 'Other' });
  await api.call('PUT', '/v1/routes/r', {
    body: { connector: 'http', url: 'http://127.0.0.1:9/', allowPrivate: true },
  });
  const batch = (await api.call('POST', '/v1/batches', { body: { route: 'r' } })).json.id;
  const webhook = (
    await api.call('POST', '/v1/webhooks', { body: { name: 'w', url: 'https://example.com/' } })
  ).json.id;
  for (const [method, path, body] of [
    ['POST', `/v1/batches/${batch}/close`],
    ['POST', `/v1/batches/${batch}/pause`],
    ['POST', `/v1/batches/${batch}/resume`],
    ['POST', `/v1/batches/${batch}/resolve`, { as: 'sent' }],
    ['POST', `/v1/webhooks/${webhook}/rotate`, {}],
    ['PUT', '/v1/signing-key', {}],
  ] as const) {
    const write = (key: string) =>
      api.call(method, path, { ...(body && { body }), headers: { 'idempotency-key': key } });
    const first = await write(path);
    expect([first.status, first.headers.get('idempotent-replayed')], path).toEqual([
      path.endsWith('/rotate') ? 201 : 200,
      null,
    ]);
    const again = await write(path);
    expect([again.status, again.headers.get('idempotent-replayed')], path).toEqual([first.status, 'true']);
    // Secrets are shown once.
    const { secret: _, key: __, ...kept } = first.json;
    expect(again.json, path).toEqual(kept);
    const reused = await write('other');
    expect([reused.status, reused.json.code], path).toEqual([422, 'idempotency_key_reused']);
    const bad = await write('k'.repeat(256));
    expect([bad.status, bad.json.code], path).toEqual([400, 'invalid_request']);
  }
});

test('a closing whose answer was lost is answered anew, and one that was refused does not keep its key', async () => {
  const batch = (await api.call('POST', '/v1/batches', { body: { route: 'r', start: 'close' } })).json.id;
  const close = (id: string) =>
    api.call('POST', `/v1/batches/${id}/close`, { headers: { 'idempotency-key': 'close' } });
  expect((await close('01932c07-a3b0-7005-8000-000000000000')).status).toBe(404);
  const first = await close(batch);
  expect(first.json.closedAt).not.toBeNull();
  await forgetAnswer('close');
  const second = await close(batch);
  expect([second.status, second.headers.get('idempotent-replayed')]).toEqual([200, null]);
  expect(second.json.closedAt).toBe(first.json.closedAt);
});
