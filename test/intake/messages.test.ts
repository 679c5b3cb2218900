import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, startIntake, storedMessages, type TestIntake } from './start-intake.ts';

let api: TestIntake;
beforeAll(async () => {
  api = await startIntake();
});
afterAll(() => api.stop());

function send(body: unknown, headers: Record<string, string> = {}) {
  return api.call('POST', '/v1/messages', { body, headers });
}

async function setRoute(name: string, more: Record<string, unknown> = {}): Promise<void> {
  const body = { connector: 'http', url: 'http://127.0.0.1:9/', allowPrivate: true, ...more };
  expect((await api.call('PUT', `/v1/routes/${name}`, { body })).status).toBeLessThan(300);
}

async function countOf(table: string): Promise<number> {
  const { rows } = await api.database.query<{ n: number }>({
    name: '',
    text: `SELECT count(*)::integer AS n FROM ${table}`,
  });
  return rows[0]!.n;
}

test('one message is durable, pending and findable when it is answered', async () => {
  const { status, json } = await send({ to: '+31612345678', route: 'r', body: 'hello', ref: 'first' });
  expect(status).toBe(202);
  expect(json.errors).toEqual([]);
  expect(json.messages).toMatchObject([{ to: '+31612345678', state: 'queued' }]);
  const shown = await api.call('GET', `/v1/messages/${json.messages[0].id}`);
  expect(shown.json).toMatchObject({
    route: 'r',
    body: 'hello',
    ref: 'first',
    state: 'queued',
    batchId: null,
  });
  for (const query of ['to=%2B31612345678', 'to=+31612345678', 'ref=first']) {
    const found = await api.call('GET', `/v1/messages?${query}`);
    expect(
      found.json.data.map(({ id }: { id: string }) => id),
      query,
    ).toContain(json.messages[0].id);
  }
  expect(api.hints.at(-1)).toMatchObject({ count: 1, batch: null });
});

test('route and priority steer a message and are not sent along', async () => {
  const { json } = await send({
    to: '+31600000001',
    route: 'r',
    priority: 'bulk',
    metadata: { __proto__: 1, n: 0.1 },
  });
  expect(json.messages).toHaveLength(1);
  const stored = (await storedMessages(api.database)).find(({ to }) => to === '+31600000001');
  expect(stored).toEqual({ to: '+31600000001', metadata: { n: 0.1 } });
  expect(api.hints.at(-1)).toMatchObject({ priority: 1 });
});

test('a bad element is listed by its index and its neighbours are kept', async () => {
  const { status, json } = await send([
    { to: '+31600000002', route: 'r' },
    { to: '+31600000003', route: 'nowhere' },
    { to: '+31600000004' },
    'text',
    { to: 'nobody', route: 'r' },
    { to: '+31600000005', route: 'r' },
  ]);
  expect(status).toBe(202);
  expect(json.messages.map(({ to }: { to: string }) => to)).toEqual(['+31600000002', '+31600000005']);
  expect(json.errors).toMatchObject([
    { index: 1, code: 'unknown_route' },
    { index: 2, code: 'no_default_route' },
    { index: 3, code: 'not_an_object' },
    { index: 4, code: 'invalid_recipient' },
  ]);
});

test('a byte order mark stands before one message as it does before an array', async () => {
  const message = JSON.stringify({ to: '+31600000051', route: 'r' });
  const headers = { 'content-type': 'application/json' };
  for (const body of [message, `\n ${message}`, `[${message}]`]) {
    const { status, json } = await send(`\ufeff${body}`, headers);
    expect([status, json.messages?.length], body).toEqual([202, 1]);
  }
});

test.each(['3', 'null', '"x"', '\ufeff\ufeff{}', '', ' \n', '\ufeff'])(
  'a body of %j is told what this call takes',
  async (body) => {
    const { status, json } = await send(body, { 'content-type': 'application/json' });
    const detail = `the body is ${body.trim() === '' ? 'empty' : 'neither an object nor an array'}`;
    const whole = `The body must be one message or an array of messages: ${detail}`;
    expect([status, json.code, json.detail]).toEqual([400, 'invalid_json', whole]);
    expect(json.errors).toEqual([{ index: 0, code: 'not_an_array', detail }]);
  },
);

test('the account’s default route for the channel takes a message that names none', async () => {
  const account = await api.makeAccount('defaults', ['send', 'read']);
  await api.call('PATCH', `/v1/accounts/${account.id}`, { body: { defaultRoutes: { sms: 'r' } } });
  const { json } = await api.call('POST', '/v1/messages', {
    key: account.key,
    body: [{ to: '+31600000006' }, { to: 'ada@example.com' }],
  });
  expect(json.messages).toHaveLength(1);
  expect(json.errors).toMatchObject([{ index: 1, code: 'no_default_route' }]);
});

test.each([
  ['all bad', [{}], 422, 'validation_failed'],
  ['an empty array', [], 422, 'validation_failed'],
  [
    'too many',
    Array.from({ length: 1_001 }, () => ({ to: '+31600000007', route: 'r' })),
    422,
    'validation_failed',
  ],
  ['no JSON', '{"to"', 400, 'invalid_json'],
  ['no body', '', 400, 'invalid_json'],
  ['two objects', '{"to":"+31600000008","route":"r"}{}', 400, 'invalid_json'],
])('%s is refused as a whole', async (_name, body, status, code) => {
  const answer = await api.call('POST', '/v1/messages', {
    body,
    headers: { 'content-type': 'application/json' },
  });
  expect(answer.json).toMatchObject({ status, code });
});

test('the same key and body give the first answer again and store nothing new', async () => {
  const body = [
    { to: '+31600000010', route: 'r' },
    { to: 'bad', route: 'r' },
  ];
  const first = await send(body, { 'idempotency-key': 'k1' });
  const chunks = await countOf('chunk');
  const again = await send(body, { 'idempotency-key': 'k1' });
  expect(again.status).toBe(202);
  expect(again.text).toBe(first.text);
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  expect(first.headers.get('idempotent-replayed')).toBeNull();
  expect(await countOf('chunk')).toBe(chunks);
  const reused = await send({ to: '+31600000011', route: 'r' }, { 'idempotency-key': 'k1' });
  expect(reused.json).toMatchObject({ status: 422, code: 'idempotency_key_reused' });
});

test('of many tries at once with one key one stores and the others hear it or wait', async () => {
  const body = { to: '+31600000012', route: 'r' };
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => send(body, { 'idempotency-key': 'k2' })),
  );
  const ids = new Set(answers.filter(({ status }) => status === 202).map(({ json }) => json.messages[0].id));
  expect(ids.size).toBe(1);
  for (const { status, json, headers } of answers) {
    if (status === 202) continue;
    expect(json).toMatchObject({ status: 409, code: 'idempotency_in_progress' });
    expect(headers.get('retry-after')).toBe('1');
  }
  const stored = (await storedMessages(api.database)).filter(({ to }) => to === '+31600000012');
  expect(stored).toHaveLength(1);
});

test('a try that died after its commit is repeated under the same ids', async () => {
  const body = { to: '+31600000013', route: 'r' };
  const first = await send(body, { 'idempotency-key': 'k3' });
  // As if the process had died between the commit of the message and that of the answer.
  const died = `UPDATE idempotency SET status = NULL, answer = NULL, locked_until = now() WHERE key = 'k3'`;
  await api.database.query({ name: '', text: died });
  const again = await send(body, { 'idempotency-key': 'k3' });
  expect(again.json).toEqual(first.json);
  expect((await storedMessages(api.database)).filter(({ to }) => to === '+31600000013')).toHaveLength(1);
});

test('the first answer is given again also when its route is gone', async () => {
  await setRoute('leaving');
  const body = { to: '+31600000020', route: 'leaving' };
  const first = await send(body, { 'idempotency-key': 'k5' });
  expect(first.status).toBe(202);
  await api.call('DELETE', '/v1/routes/leaving');
  const again = await send(body, { 'idempotency-key': 'k5' });
  expect(again.status).toBe(202);
  expect(again.text).toBe(first.text);
  expect((await send(body, { 'idempotency-key': 'k5-other' })).status).toBe(422);
});

test.each([
  ['one of its messages', () => setRoute('changing', { channel: 'sms' })],
  ['all of its messages', () => api.call('DELETE', '/v1/routes/changing')],
])('a try that died is not repeated when %s would be refused now', async (name, change) => {
  await setRoute('changing');
  const ref = name.replaceAll(' ', '-');
  const body = ['+31600000021', 'a@example.org'].map((to) => ({ to, route: 'changing', ref }));
  expect((await send(body, { 'idempotency-key': ref })).json.messages).toHaveLength(2);
  const died = `UPDATE idempotency SET status = NULL, answer = NULL, locked_until = now() WHERE key = $1`;
  await api.database.query({ name: '', text: died }, [ref]);
  await change();
  // Not taken for a new request after the first refusal either.
  for (let time = 0; time < 2; time++) {
    expect((await send(body, { 'idempotency-key': ref })).json).toMatchObject({
      status: 409,
      code: 'conflict',
    });
  }
  expect((await storedMessages(api.database)).filter((message) => message.ref === ref)).toHaveLength(2);
});

test("nobody's own messages take the route of what webhooks are told, which endpoints trust", async () => {
  await api.call('POST', '/v1/webhooks', { body: { name: 'billing', url: 'https://example.com/' } });
  const forged = { to: 'billing', payload: { type: 'message.delivered' }, route: 'callbacks' };
  const refused = await send(forged);
  expect(refused).toMatchObject({ status: 422, json: { errors: [{ code: 'unknown_route' }] } });
  const batch = await api.call('POST', '/v1/batches', { body: { route: 'callbacks' } });
  expect(batch).toMatchObject({ status: 422, json: { code: 'unknown_route' } });
  const body = { name: 'Defaulting', defaultRoutes: { webhook: 'callbacks' } };
  const account = await api.call('POST', '/v1/accounts', { body });
  expect(account).toMatchObject({ status: 422, json: { errors: [{ code: 'route_not_allowed' }] } });
});

test('a refused request does not use its key up', async () => {
  const headers = { 'idempotency-key': 'k4', 'content-type': 'application/json' };
  expect((await api.call('POST', '/v1/batches', { body: { route: 'nowhere' }, headers })).status).toBe(422);
  expect((await api.call('POST', '/v1/batches', { body: { route: 'r' }, headers })).status).toBe(201);
});

test('requests of the same moment share commits and chunks', async () => {
  const commits = `SELECT count(DISTINCT xmin::text)::integer AS n FROM chunk WHERE id > $1`;
  const { json } = await send({ to: '+31600000014', route: 'r' });
  const from = json.messages[0].id;
  const query = (text: string) => api.database.query({ name: '', text });
  let sent: ReturnType<typeof send>[] = [];
  // While no commit comes through, what arrives gathers, however slow this machine is.
  await api.database.transaction(async (transaction) => {
    await transaction.query({ name: '', text: 'LOCK TABLE chunk IN EXCLUSIVE MODE' });
    sent = Array.from({ length: 200 }, (_, index) =>
      send({ to: `+3160001${String(index).padStart(4, '0')}`, route: 'r' }),
    );
    await eventually(async () => {
      const waiting = await query(
        "SELECT 1 FROM pg_locks WHERE relation = 'chunk'::regclass AND NOT granted",
      );
      return waiting.rowCount > 0;
    });
    // Answered behind those that were sent before it.
    await api.call('GET', '/v1/batches');
  });
  const answers = await Promise.all(sent);
  expect(new Set(answers.map((answer) => answer.json.messages[0].id)).size).toBe(200);
  const { rows } = await api.database.query<{ n: number }>({ name: '', text: commits }, [from]);
  expect(rows[0]!.n).toBeLessThan(100);
});

test('an array of large messages is stored in chunks that can be read again', async () => {
  const texts = Array.from({ length: 200 }, (_, index) => `${index} ${'x'.repeat(50_000)}`);
  const { status, json } = await api.call('POST', '/v1/messages', {
    headers: { 'idempotency-key': 'large-array' },
    body: texts.map((body) => ({ to: '+31612349999', route: 'r', body })),
  });
  expect(status).toBe(202);
  expect(new Set(json.messages.map(({ id }: { id: string }) => id)).size).toBe(texts.length);
  const stored = await storedMessages(api.database);
  const bodies = stored.filter(({ to }) => to === '+31612349999').map(({ body }) => body);
  expect(new Set(bodies)).toEqual(new Set(texts));
});

test('a message that an earlier try has stored is not handed to the deliveries as a new one', async () => {
  const send = () =>
    api.call('POST', '/v1/messages', {
      headers: { 'idempotency-key': 'stored before' },
      body: { to: '+31612345678', route: 'r' },
    });
  const first = await send();
  const hinted = api.hints.length;
  // As after a server that was not told of its last COMMIT. By now the message may have been delivered.
  await api.database.query({
    name: 'test_forget',
    text: `UPDATE idempotency SET status = NULL, answer = NULL, locked_until = now() - interval '1 s'
      WHERE key = 'stored before'`,
  });
  const second = await send();
  expect([second.status, second.json]).toEqual([202, first.json]);
  expect(api.hints).toHaveLength(hinted);
});
