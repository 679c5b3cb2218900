import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;
let owner: { id: string; key: string };
let other: { id: string; key: string };
let batch: string;

beforeAll(async () => {
  api = await startApi();
  owner = await api.makeAccount('Owner', ['send', 'read', 'manage']);
  other = await api.makeAccount('Other', ['send', 'read', 'manage']);
  const route = { connector: 'http', url: 'http://127.0.0.1:9/', allowPrivate: true };
  expect((await api.call('PUT', '/v1/routes/sms', { body: route })).status).toBe(201);
  const sent = await api.call('POST', '/v1/batches?route=sms', {
    key: owner.key,
    body: '{"to":"+31612345678","body":"x"}\n',
    headers: { 'content-type': 'application/x-ndjson' },
  });
  batch = sent.json.id;
});

afterAll(() => api.stop());

const as = (account: string) => ({ headers: { 'millrace-account': account } });

test('an administrator shows, finds, pauses and cancels the batch of an account that it names', async () => {
  const elsewhere = await api.call('GET', `/v1/batches/${batch}`);
  expect(elsewhere.json).toMatchObject({
    status: 404,
    detail: 'there is no such batch in account 1; Millrace-Account names another: see GET /v1/accounts',
  });
  const shown = await api.call('GET', `/v1/batches/${batch}`, as(owner.id));
  expect(shown.json).toMatchObject({ id: batch, counts: { accepted: 1 } });
  const listed = await api.call('GET', '/v1/batches', as(owner.id));
  expect(listed.json.data.map(({ id }: { id: string }) => id)).toEqual([batch]);
  const found = await api.call('GET', '/v1/messages?to=%2B31612345678', as(owner.id));
  expect(found.json.data).toHaveLength(1);
  expect((await api.call('POST', `/v1/batches/${batch}/pause`, as(owner.id))).json.state).toBe('paused');
  expect((await api.call('GET', `/v1/batches/${batch}`, { key: owner.key })).json.state).toBe('paused');
  const notThere = await api.call('GET', `/v1/batches/${batch}`, as(other.id));
  expect(notThere.json).toMatchObject({ status: 404, detail: 'there is no such batch' });
});

test('without the scope admin a key names no account but its own', async () => {
  const named = (account: string) =>
    api.call('GET', `/v1/batches/${batch}`, { key: other.key, ...as(account) });
  expect((await named(owner.id)).json).toMatchObject({ status: 403, code: 'forbidden' });
  expect((await named(other.id)).status).toBe(404);
});

test.each(['0', '-1', '99999', 'Owner', '', '1, 2'])(
  'an account %j that is none is refused',
  async (account) => {
    const answer = await api.call('GET', '/v1/batches', as(account));
    expect(answer.json).toMatchObject({ status: 400, code: 'invalid_request' });
  },
);

test('what a deleted account sent can be looked at and canceled, and nothing more is sent for it', async () => {
  const gone = await api.makeAccount('Gone', ['send']);
  const body = { route: 'sms' };
  const open = await api.call('POST', '/v1/batches', { key: gone.key, body });
  await api.call('DELETE', `/v1/accounts/${gone.id}`);
  const canceled = await api.call('POST', `/v1/batches/${open.json.id}/cancel`, as(gone.id));
  expect(canceled.json).toMatchObject({ id: open.json.id, state: 'canceled' });
  const more = await Promise.all([
    api.call('POST', '/v1/batches', { body, ...as(gone.id) }),
    api.call('POST', `/v1/batches/${open.json.id}/replay`, { body: { states: ['failed'] }, ...as(gone.id) }),
    api.call('POST', `/v1/messages/${open.json.id}/replay`, as(gone.id)),
  ]);
  for (const { json } of more) expect(json).toMatchObject({ status: 403, code: 'forbidden' });
});

test('another key of the administrator’s account sees its own lanes alone, also when both ask at once', async () => {
  const { key } = (await api.call('POST', '/v1/keys', { body: { scopes: ['read'] } })).json;
  const [all, own, named] = await Promise.all([
    api.call('GET', '/v1/lanes'),
    api.call('GET', '/v1/lanes', { key }),
    api.call('GET', '/v1/lanes', as(owner.id)),
  ]);
  const accounts = (answer: typeof all) =>
    answer.json.data.map((lane: { accountId: string }) => lane.accountId);
  expect([accounts(all), accounts(own), accounts(named)]).toEqual([[owner.id], [], [owner.id]]);
});
