import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../src/store/database.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.stop());

const works = async (key: string) => (await api.call('GET', '/v1/routes', { key })).status === 200;

test('a key is shown once, works, and is never shown again', async () => {
  const made = await api.call('POST', '/v1/keys', { body: { scopes: ['read'] } });
  expect(made.status).toBe(201);
  expect(made.json).toMatchObject({
    accountId: '1',
    scopes: ['read'],
    test: false,
    expiresAt: null,
    revokedAt: null,
  });
  expect(made.json.key).toMatch(/^mr_[\w-]{43}$/);
  expect(await works(made.json.key)).toBe(true);

  const { key, ...shown } = made.json;
  expect((await api.call('GET', `/v1/keys/${shown.id}`)).json).toEqual(shown);
  expect((await api.call('GET', '/v1/keys')).text).not.toContain(key);
});

test('the database holds no key, also where an idempotent answer is kept', async () => {
  const call = () =>
    api.call('POST', '/v1/keys', {
      body: { scopes: ['read'] },
      headers: { 'idempotency-key': 'one key please' },
    });
  const first = await call();
  expect(await works(first.json.key)).toBe(true);
  const second = await call();
  const { key, ...rest } = first.json;
  expect(second.headers.get('idempotent-replayed')).toBe('true');
  expect(second.json).toEqual(rest);

  const database = openDatabase({ url: api.databaseUrl, poolSize: 1, name: 'test' });
  try {
    for (const table of ['api_key', 'idempotency']) {
      const { rows } = await database.query<{ text: string }>({
        name: '',
        text: `SELECT t::text AS text FROM ${table} t`,
      });
      expect(rows.length).toBeGreaterThan(0);
      const secrets = [key, Buffer.from(key).toString('hex')];
      for (const { text } of rows) for (const secret of secrets) expect(text).not.toContain(secret);
    }
  } finally {
    await database.close();
  }
});

test('a revoked key stops working at once and keeps the time of its revocation', async () => {
  const { id, key } = (await api.call('POST', '/v1/keys', { body: { scopes: ['read'] } })).json;
  const revoked = await api.call('DELETE', `/v1/keys/${id}`);
  expect(revoked.json.revokedAt).not.toBeNull();
  expect(await works(key)).toBe(false);
  expect((await api.call('DELETE', `/v1/keys/${id}`)).json).toEqual(revoked.json);
});

test('a key that is revoked elsewhere stops working here within a second', async () => {
  const other = await startApi({ databaseUrl: api.databaseUrl });
  try {
    const { id, key } = (await api.call('POST', '/v1/keys', { body: { scopes: ['read'] } })).json;
    const changed = () =>
      new Promise<void>((resolve) => {
        const end = other.context.control.onChange(() => {
          end();
          resolve();
        });
      });
    await other.context.control.runOnce();
    const authorization = { key };
    expect((await other.call('GET', '/v1/routes', authorization)).status).toBe(200);
    const seen = changed();
    await api.call('DELETE', `/v1/keys/${id}`);
    await seen;
    expect((await other.call('GET', '/v1/routes', authorization)).status).toBe(401);
  } finally {
    await other.stop();
  }
});

test('a rotated key is replaced, at once or after an overlap', async () => {
  const { accountId, ...old } = (
    await api.call('POST', '/v1/keys', {
      body: { scopes: ['send', 'read'], expiresAt: '2200-01-01T00:00:00Z' },
    })
  ).json;
  const second = await api.call('POST', `/v1/keys/${old.id}/rotate`, { body: { overlapMs: 60_000 } });
  expect(second.status).toBe(201);
  expect(second.json).toMatchObject({
    accountId,
    scopes: ['send', 'read'],
    expiresAt: '2200-01-01T00:00:00.000Z',
  });
  expect([await works(old.key), await works(second.json.key)]).toEqual([true, true]);

  const third = await api.call('POST', `/v1/keys/${second.json.id}/rotate`);
  expect([await works(second.json.key), await works(third.json.key)]).toEqual([false, true]);
  const ended = await api.call('POST', `/v1/keys/${second.json.id}/rotate`);
  expect([ended.status, ended.json.code]).toEqual([409, 'conflict']);
});

test('a key expires', async () => {
  const inAMoment = new Date(Date.now() + 2_000).toISOString();
  const { key } = (await api.call('POST', '/v1/keys', { body: { scopes: ['read'], expiresAt: inAMoment } }))
    .json;
  expect(await works(key)).toBe(true);
  await expect.poll(() => works(key)).toBe(false);
});

test.each([
  [{ scopes: [] }, '/scopes'],
  [{ scopes: ['read', 'read'] }, '/scopes'],
  [{ scopes: ['root'] }, '/scopes/0'],
  [{ scopes: ['read'], expiresAt: '2001-01-01T00:00:00Z' }, '/expiresAt'],
  [{ scopes: ['read'], expiresAt: 'tomorrow' }, '/expiresAt'],
  [{ scopes: ['read'], expiresAt: '2199-02-30T00:00:00Z' }, '/expiresAt'],
  [{ scopes: ['read'], accountId: '123456' }, '/accountId'],
  [{ scopes: ['read'], accountId: 'x' }, '/accountId'],
  [{ scopes: ['read'], accountId: 1 }, '/accountId'],
  [{ scopes: ['send', 'manage'], test: true }, '/scopes'],
  [{ scopes: ['admin'], test: true }, '/scopes'],
  [{}, '/scopes'],
])('%j is refused with its place', async (body, pointer) => {
  const answer = await api.call('POST', '/v1/keys', { body });
  expect([answer.status, answer.json.code]).toEqual([422, 'validation_failed']);
  expect(answer.json.errors[0].pointer).toBe(pointer);
});

test('a test key looks like one, works, and is unknown to a release that hashes it as any other', async () => {
  const { key, ...shown } = (
    await api.call('POST', '/v1/keys', { body: { scopes: ['send', 'read'], test: true } })
  ).json;
  expect(key).toMatch(/^mr_test_[\w-]{43}$/);
  expect(shown.test).toBe(true);
  expect(await works(key)).toBe(true);
  const asBefore = createHash('sha256').update(key).digest('hex');
  expect(api.context.control.keyByHash(asBefore)).toBeUndefined();
});

test('the last administrator key cannot be ended', async () => {
  const lonely = await startApi();
  try {
    const [only] = (await lonely.call('GET', '/v1/keys')).json.data;
    const refused = await lonely.call('DELETE', `/v1/keys/${only.id}`);
    expect([refused.status, refused.json.code]).toEqual([409, 'conflict']);
    expect((await lonely.call('GET', '/v1/keys')).status).toBe(200);

    const next = await lonely.call('POST', `/v1/keys/${only.id}/rotate`);
    expect((await lonely.call('GET', '/v1/keys')).status).toBe(401);
    expect((await lonely.call('GET', '/v1/keys', { key: next.json.key })).status).toBe(200);
  } finally {
    await lonely.stop();
  }
});

test('keys are listed by account, in pages', async () => {
  const { id } = await api.makeAccount('Lister', ['read']);
  for (let count = 0; count < 3; count++) {
    await api.call('POST', '/v1/keys', { body: { accountId: id, scopes: ['send'] } });
  }
  const first = (await api.call('GET', `/v1/keys?accountId=${id}&limit=3`)).json;
  expect(first.data).toHaveLength(3);
  const second = (await api.call('GET', `/v1/keys?accountId=${id}&limit=3&after=${first.next}`)).json;
  expect(second).toMatchObject({ data: [{ accountId: id }], next: null });
  expect((await api.call('GET', '/v1/keys?after=zzz')).status).toBe(422);
  expect((await api.call('GET', '/v1/keys?accountId=nobody')).json).toEqual({ data: [], next: null });
});

test('only administrators see, make or end keys', async () => {
  const { key } = await api.makeAccount('Curious', ['send', 'read', 'manage']);
  const { id } = (await api.call('GET', '/v1/keys')).json.data[0];
  const calls: [string, string, unknown?][] = [
    ['GET', '/v1/keys'],
    ['GET', `/v1/keys/${id}`],
    ['POST', '/v1/keys', { scopes: ['admin'] }],
    ['POST', `/v1/keys/${id}/rotate`, {}],
    ['DELETE', `/v1/keys/${id}`],
  ];
  for (const [method, path, body] of calls) {
    expect((await api.call(method, path, { key, body })).status).toBe(403);
  }
});

test.each(['x', '00000000-0000-0000-0000-00000000000', 'ZZZZZZZZ-0000-7000-8000-000000000000'])(
  'the id %s is no key and no error',
  async (id) => {
    expect((await api.call('GET', `/v1/keys/${id}`)).status).toBe(404);
    expect((await api.call('DELETE', `/v1/keys/${id}`)).status).toBe(404);
    expect((await api.call('POST', `/v1/keys/${id}/rotate`)).status).toBe(404);
  },
);
