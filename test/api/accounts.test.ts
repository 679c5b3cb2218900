import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.stop());

test('an account is made, shown, changed and deleted', async () => {
  const made = await api.call('POST', '/v1/accounts', { body: { name: 'Acme' } });
  expect(made.status).toBe(201);
  expect(made.json).toMatchObject({ name: 'Acme', weight: 1, defaultRoutes: {} });
  expect(made.json.id).toMatch(/^\d+$/);
  const path = `/v1/accounts/${made.json.id}`;
  expect((await api.call('GET', path)).json).toEqual(made.json);

  const changed = await api.call('PATCH', path, { body: { weight: 7 } });
  expect(changed.json).toEqual({ ...made.json, weight: 7 });
  expect(api.context.control.accountById(Number(made.json.id))?.weight).toBe(7);

  expect((await api.call('DELETE', path)).json).toEqual(changed.json);
  for (const method of ['GET', 'DELETE']) expect((await api.call(method, path)).status).toBe(404);
  expect((await api.call('PATCH', path, { body: { weight: 1 } })).status).toBe(404);
});

test('deleting an account ends its keys at once and frees its name', async () => {
  const { id, key } = await api.makeAccount('Short-lived', ['read']);
  expect((await api.call('GET', '/v1/routes', { key })).status).toBe(200);
  await api.call('DELETE', `/v1/accounts/${id}`);
  expect((await api.call('GET', '/v1/routes', { key })).status).toBe(401);
  const again = await api.call('POST', '/v1/accounts', { body: { name: 'Short-lived' } });
  expect(again.status).toBe(201);
  expect(again.json.id).not.toBe(id);
});

test('two accounts cannot share a name', async () => {
  const one = await api.call('POST', '/v1/accounts', { body: { name: 'One' } });
  const other = await api.call('POST', '/v1/accounts', { body: { name: 'Other' } });
  const twice = await api.call('POST', '/v1/accounts', { body: { name: 'One' } });
  expect([twice.status, twice.json.code]).toEqual([409, 'conflict']);
  const renamed = await api.call('PATCH', `/v1/accounts/${other.json.id}`, { body: { name: 'One' } });
  expect(renamed.status).toBe(409);
  const same = await api.call('PATCH', `/v1/accounts/${one.json.id}`, { body: { name: 'One' } });
  expect(same.status).toBe(200);
});

test('the account "default" cannot be deleted', async () => {
  const answer = await api.call('DELETE', '/v1/accounts/1');
  expect([answer.status, answer.json.code]).toEqual([409, 'conflict']);
});

test('pages of accounts skip and repeat nothing', async () => {
  for (const name of ['p1', 'p2', 'p3', 'p4', 'p5'])
    await api.call('POST', '/v1/accounts', { body: { name } });
  const whole = (await api.call('GET', '/v1/accounts')).json;
  expect(whole.next).toBeNull();
  const seen: unknown[] = [];
  for (let next: string | null = ''; next !== null; ) {
    const page: { data: unknown[]; next: string | null } = (
      await api.call('GET', `/v1/accounts?limit=2${next && `&after=${next}`}`)
    ).json;
    expect(page.data.length).toBeLessThanOrEqual(2);
    seen.push(...page.data);
    next = page.next;
  }
  expect(seen).toEqual(whole.data);
});

test('every wrong field is named with its place', async () => {
  const answer = await api.call('POST', '/v1/accounts', {
    body: { name: '', weight: '3', colour: 'red', defaultRoutes: { fax: 'x' } },
  });
  expect(answer.status).toBe(422);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.json.code).toBe('validation_failed');
  const found = answer.json.errors.map(({ pointer, code }: Record<string, string>) => `${pointer} ${code}`);
  expect(found).toEqual(
    expect.arrayContaining([
      '/name invalid_value',
      '/weight wrong_type',
      '/colour unknown_field',
      '/defaultRoutes/fax unknown_field',
    ]),
  );
  expect((await api.call('POST', '/v1/accounts', { body: {} })).json.errors[0]).toMatchObject({
    pointer: '/name',
    code: 'required',
  });
});

test('a limit that is not known is refused, not ignored', async () => {
  const answer = await api.call('POST', '/v1/accounts', { body: { name: 'Limited', limits: { perDay: 5 } } });
  expect([answer.status, answer.json.code]).toEqual([422, 'validation_failed']);
  expect(answer.json.errors[0].pointer).toBe('/limits/perDay');
});

test('a limit on messages a second is set, shown, obeyed as part of what an account is, and taken away', async () => {
  const body = { name: 'Paced', limits: { ratePerSecond: 2.5 } };
  const headers = { 'idempotency-key': 'paced' };
  const made = await api.call('POST', '/v1/accounts', { body, headers });
  expect(made.json.limits).toEqual({ ratePerSecond: 2.5 });
  expect(api.context.control.accountById(Number(made.json.id))?.limits).toEqual({ ratePerSecond: 2.5 });
  const path = `/v1/accounts/${made.json.id}`;
  for (const ratePerSecond of [0, -1, 1_000_001, '5']) {
    expect((await api.call('PATCH', path, { body: { limits: { ratePerSecond } } })).status).toBe(422);
  }
  expect((await api.call('PATCH', path, { body: { limits: {} } })).json.limits).toEqual({});
});

test('default routes must exist, be allowed, and fit the channel', async () => {
  const { id } = await api.makeAccount('Routed', ['send']);
  const other = await api.makeAccount('Stranger', ['send']);
  const http = { connector: 'http', url: 'https://provider.example/sms' };
  await api.call('PUT', '/v1/routes/texts', { body: { ...http, channel: 'sms' } });
  await api.call('PUT', '/v1/routes/private', { body: { ...http, accounts: [other.id] } });
  const put = (defaultRoutes: unknown) =>
    api.call('PATCH', `/v1/accounts/${id}`, { body: { defaultRoutes } });

  expect((await put({ sms: 'texts' })).json.defaultRoutes).toEqual({ sms: 'texts' });
  expect((await put({ email: 'texts' })).json.errors[0].code).toBe('wrong_channel');
  expect((await put({ sms: 'nowhere' })).json.errors[0].code).toBe('unknown_route');
  expect((await put({ sms: 'private' })).json.errors[0].code).toBe('route_not_allowed');
  const inUse = await api.call('DELETE', '/v1/routes/texts');
  expect([inUse.status, inUse.json.detail]).toEqual([409, 'it is a default route of: Routed']);
});

test.each(['0', '-1', '1.5', 'abc', '01', '99999999999', '2147483648', '%20', '1;drop'])(
  'the id %s is no account and no error',
  async (id) => {
    for (const method of ['GET', 'DELETE']) {
      expect((await api.call(method, `/v1/accounts/${id}`)).status).toBe(404);
    }
  },
);

test('only administrators see or change accounts', async () => {
  const { id, key } = await api.makeAccount('Customer', ['send', 'read', 'manage']);
  const calls: [string, string, unknown?][] = [
    ['GET', '/v1/accounts'],
    ['GET', `/v1/accounts/${id}`],
    ['POST', '/v1/accounts', { name: 'Mine' }],
    ['PATCH', `/v1/accounts/${id}`, { weight: 1_000 }],
    ['DELETE', `/v1/accounts/${id}`],
  ];
  for (const [method, path, body] of calls) {
    const answer = await api.call(method, path, { key, body });
    expect([answer.status, answer.json.code]).toEqual([403, 'forbidden']);
  }
});
