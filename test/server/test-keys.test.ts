import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../delivery/mill.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { runCli } from '../support/run-cli.ts';
import { killProcesses, type MillraceProcess, startProcess } from '../support/start-process.ts';

const adminKey = 'test-keys-administrator-key-0123456789';
let sink: MillraceProcess;
let server: MillraceProcess;
let databaseUrl: string;

const startServer = () =>
  startProcess(['serve', '--port', '0', '--database', databaseUrl, '--log-level', 'warn'], {
    MILLRACE_ADMIN_KEY: adminKey,
  });

beforeAll(async () => {
  databaseUrl = (await createTestDatabase()).url;
  sink = await startProcess(['sink', '--port', '0', '--arrivals', '20000', '--arrivals-batch-max', '50']);
  server = await startServer();
  const route = { connector: 'http', url: `${sink.url}/`, allowPrivate: true, channel: 'sms' };
  await take('PUT', '/v1/routes/sms', { body: route });
  await take('PUT', '/v1/routes/batched', { body: { ...route, batch: { max: 50 }, onUncertain: 'hold' } });
  await take('PUT', '/v1/routes/paused', { body: route });
});

afterAll(() => killProcesses());

interface Call {
  body?: unknown;
  key?: string;
  headers?: Record<string, string>;
}

interface Answer {
  status: number;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  json: any;
}

async function call(
  method: string,
  path: string,
  { body, key = adminKey, headers }: Call = {},
): Promise<Answer> {
  const type = typeof body === 'string' ? 'application/x-ndjson' : 'application/json';
  const answer = await fetch(server.url + path, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body !== undefined && { 'content-type': type }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  const isJson = answer.headers.get('content-type')?.includes('json') && !path.includes('/export');
  return { status: answer.status, text, json: isJson ? JSON.parse(text) : undefined };
}

/** The answer to what must be taken. */
// biome-ignore lint/suspicious/noExplicitAny: as above.
async function take(method: string, path: string, of: Call = {}): Promise<any> {
  const { status, text, json } = await call(method, path, of);
  expect(status, `${method} ${path}: ${text}`).toBeLessThan(300);
  return json;
}

/** Keys of a new account: one that sends in earnest, and a test key. */
async function newAccount(
  settings: object = {},
): Promise<{ accountId: string; live: string; testing: string }> {
  const { id: accountId } = await take('POST', '/v1/accounts', {
    body: { name: `customer ${++accounts}`, defaultRoutes: { sms: 'sms' }, ...settings },
  });
  const scopes = ['send', 'read'];
  const live = await take('POST', '/v1/keys', { body: { accountId, scopes } });
  const testing = await take('POST', '/v1/keys', { body: { accountId, scopes, test: true } });
  return { accountId, live: live.key, testing: testing.key };
}

/** What the provider got, by the ids of the messages. */
async function arrivedIds(): Promise<Set<string>> {
  const ids = new Set<string>();
  for (let after = 0; ; ) {
    // biome-ignore lint/suspicious/noExplicitAny: as above.
    const page: any = await (await fetch(`${sink.url}/arrivals?after=${after}&limit=10000`)).json();
    for (const { id } of page.data) ids.add(id);
    if (page.data.length === 0) return ids;
    after = page.next;
  }
}

let accounts = 0;
const phone = (n: number) => `+316${10_000_000 + n}`;
const lines = (count: number, more: (n: number) => object = () => ({})) =>
  Array.from({ length: count }, (_, n) =>
    JSON.stringify({ to: phone(n), body: `text ${n}`, ...more(n) }),
  ).join('\n');

async function untilFinal(id: string, key: string) {
  const read = () => take('GET', `/v1/messages/${id}`, { key });
  await until(async () => !['queued', 'sending', 'retrying'].includes((await read()).state));
  return await read();
}

async function untilDone(id: string, key: string) {
  const read = () => take('GET', `/v1/batches/${id}`, { key });
  await until(async () => (await read()).state === 'done');
  return await read();
}

test('what a test key sends ends as sent and says so, and the provider gets only what other keys of the account send on the same lane', async () => {
  const { live, testing } = await newAccount();
  const liveIds: string[] = [];
  for (const [n, key] of [testing, live, testing, live, testing].entries()) {
    const { messages } = await take('POST', '/v1/messages', { key, body: { to: phone(n), body: 'x' } });
    if (key === live) liveIds.push(messages[0].id);
    const { timeline, ...message } = await untilFinal(messages[0].id, key);
    expect(message).toMatchObject({ state: 'sent', attempts: 1 });
    expect(message.test).toBe(key === testing ? true : undefined);
    expect(timeline.map(({ state }: { state: string }) => state)).toEqual(['queued', 'sent']);
  }
  const soon = new Date(Date.now() + 1_500).toISOString();
  const later = { to: phone(9), body: 'x', scheduledAt: soon, orderingKey: 'one after the other' };
  const { messages } = await take('POST', '/v1/messages', { key: testing, body: [later, later] });
  for (const { id } of messages)
    expect(await untilFinal(id, testing)).toMatchObject({ state: 'sent', test: true });

  const made = [testing, live, testing].map(async (key) => {
    const keyed = (n: number) => (n % 3 === 0 ? { orderingKey: `key ${n % 7}` } : {});
    const batch = await take('POST', '/v1/batches?route=batched', { key, body: lines(1_200, keyed) });
    expect(batch.test).toBe(key === testing);
    expect((await untilDone(batch.id, key)).counts).toMatchObject({ accepted: 1_200, sent: 1_200 });
    const { text } = await call('GET', `/v1/batches/${batch.id}/export`, { key });
    const exported = text
      .trimEnd()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
    expect(new Set(exported.map(({ test: isTest }) => isTest))).toEqual(
      new Set([key === testing || undefined]),
    );
    if (key === live) liveIds.push(...exported.map(({ id }) => id));
    const csv = await call('GET', `/v1/batches/${batch.id}/export?format=csv`, { key });
    expect(csv.text.includes(',true\r\n')).toBe(key === testing);
  });
  await Promise.all(made);
  expect(await arrivedIds()).toEqual(new Set(liveIds));
});

test('nobody is charged for what a test key sends', async () => {
  const { accountId, live, testing } = await newAccount({ limits: { messagesPerDay: 10 } });
  const batch = await take('POST', '/v1/batches?route=sms', { key: testing, body: lines(500) });
  expect((await untilDone(batch.id, testing)).counts).toMatchObject({ accepted: 500, sent: 500 });
  await take('POST', '/v1/messages', {
    key: testing,
    body: Array.from({ length: 50 }, () => ({ to: phone(1), body: 'x' })),
  });
  expect((await take('GET', `/v1/accounts/${accountId}/usage`)).messages.used).toBe(0);
  await take('POST', '/v1/messages', {
    key: live,
    body: Array.from({ length: 10 }, () => ({ to: phone(1), body: 'x' })),
  });
  const refused = await call('POST', '/v1/messages', { key: live, body: { to: phone(1), body: 'x' } });
  expect([refused.status, refused.json.code]).toEqual([429, 'quota_exceeded']);
});

test('what was tried with a test key is sent in earnest under the same Idempotency-Key', async () => {
  const { live, testing } = await newAccount();
  const headers = { 'idempotency-key': 'the same' };
  const send = (key: string) =>
    call('POST', '/v1/messages', { key, headers, body: { to: phone(1), body: 'x' } });
  const [tried, sent] = [await send(testing), await send(live)];
  expect([tried.status, sent.status]).toEqual([202, 202]);
  const [{ id: triedId }] = tried.json.messages;
  const [{ id: sentId }] = sent.json.messages;
  expect(sentId).not.toBe(triedId);
  expect((await send(testing)).json.messages[0].id).toBe(triedId);
  expect(await untilFinal(sentId, live)).not.toHaveProperty('test');
  const arrived = await arrivedIds();
  expect([arrived.has(triedId), arrived.has(sentId)]).toEqual([false, true]);
});

test('test keys and other keys do not add to each other’s batches, and a test key closes none of the others', async () => {
  const { live, testing } = await newAccount();
  const make = (key: string) => take('POST', '/v1/batches', { key, body: { route: 'sms', start: 'close' } });
  const add = (batch: { id: string }, key: string) =>
    call('POST', `/v1/batches/${batch.id}/messages`, { key, body: lines(1) });
  const [ofLive, ofTest] = [await make(live), await make(testing)];
  const wrong = [await add(ofLive, testing), await add(ofTest, live)];
  expect(wrong.map(({ status, json }) => [status, json.code])).toEqual([
    [409, 'conflict'],
    [409, 'conflict'],
  ]);
  expect(wrong[0]!.json.detail).toContain('sent in earnest');
  expect(wrong[1]!.json.detail).toContain('made with a test key');
  expect((await call('POST', `/v1/batches/${ofLive.id}/close`, { key: testing })).status).toBe(409);
  for (const [batch, key] of [
    [ofLive, live],
    [ofTest, testing],
  ] as const) {
    expect((await add(batch, key)).json).toMatchObject({ accepted: 1, nextLine: 2 });
    await take('POST', `/v1/batches/${batch.id}/close`, { key });
    expect((await untilDone(batch.id, key)).counts).toMatchObject({ accepted: 1, sent: 1 });
  }
});

test('every step is gone through: suppression, templates, the pause of a route, and the forming of the request', async () => {
  const { accountId, testing } = await newAccount();
  const as = { 'millrace-account': accountId };
  await take('POST', '/v1/suppressions', { headers: as, body: [{ to: phone(7), channel: 'sms' }] });
  await take('POST', '/v1/templates', {
    headers: as,
    body: { name: 'hi', channel: 'sms', body: 'Hi {{ name | upcase }}' },
  });
  const webhooks = {
    connector: 'webhook',
    allowPrivate: true,
    retry: { backoffMinMs: 10, backoffMaxMs: 20 },
  };
  await take('PUT', '/v1/routes/hooks', {
    body: { ...webhooks, secrets: [{ secret: `whsec_${'A'.repeat(32)}` }] },
  });
  const { messages } = await take('POST', '/v1/messages', {
    key: testing,
    body: [
      { to: phone(7), body: 'x' },
      { to: phone(8), template: 'hi', params: { name: 'ann' } },
      { to: 'nowhere', payload: {}, route: 'hooks' },
      { to: 'https://localhost:1/', payload: {}, route: 'hooks' },
    ],
  });
  const ids = messages.map(({ id }: { id: string }) => id);
  const [suppressed, templated, unknown, known] = await Promise.all(
    ids.map((id: string) => untilFinal(id, testing)),
  );
  expect(suppressed).toMatchObject({ state: 'suppressed', test: true });
  expect(templated).toMatchObject({ state: 'sent', body: 'Hi ANN', test: true });
  expect(unknown).toMatchObject({ state: 'failed', attempts: 2, error: { code: 'unknown_endpoint' } });
  expect(known).toMatchObject({ state: 'sent', attempts: 1 });

  await take('POST', '/v1/routes/paused/pause');
  const batch = await take('POST', '/v1/batches?route=paused', { key: testing, body: lines(20) });
  expect((await take('GET', `/v1/batches/${batch.id}`, { key: testing })).counts.queued).toBe(20);
  // What waits is read from the database then.
  await server.stop();
  server = await startServer();
  await take('POST', '/v1/routes/paused/resume');
  expect((await untilDone(batch.id, testing)).counts).toMatchObject({ sent: 19, suppressed: 1 });
  const arrived = await arrivedIds();
  expect(ids.filter((id: string) => arrived.has(id))).toEqual([]);
});

test('what a test key sends holds up nothing of the same ordering key, in single messages, batches and the defaults of one', async () => {
  const { live, testing } = await newAccount();
  const scheduledAt = new Date(Date.now() + 86_400_000).toISOString();
  const ordered = { to: phone(1), body: 'x', orderingKey: 'order-1042' };
  await take('POST', '/v1/messages', { key: testing, body: { ...ordered, scheduledAt } });
  await take('POST', '/v1/batches?route=sms', {
    key: testing,
    body: JSON.stringify({ ...ordered, scheduledAt }),
  });
  const byDefault = `/v1/batches?route=sms&orderingKey=order-1042&scheduledAt=${scheduledAt}`;
  await take('POST', byDefault, { key: testing, body: lines(1) });
  const single = await take('POST', '/v1/messages', { key: live, body: ordered });
  expect(await untilFinal(single.messages[0].id, live)).toMatchObject({ state: 'sent' });
  const batch = await take('POST', '/v1/batches?route=sms', { key: live, body: JSON.stringify(ordered) });
  expect((await untilDone(batch.id, live)).counts.sent).toBe(1);
  const waits = await take('POST', '/v1/messages', { key: testing, body: ordered });
  const { waitsFor } = await take('GET', `/v1/messages/${waits.messages[0].id}`, { key: testing });
  expect(waitsFor).toMatchObject([{ reason: 'earlier_message' }]);
});

test('the classic API simulates as well', async () => {
  const { testing } = await newAccount();
  const headers = { authorization: `AccessKey ${testing}` };
  const body = { recipients: [phone(1).slice(1)], originator: 'Shop', body: 'x', reference: 'r' };
  const sent = await take('POST', '/messages', { headers, body });
  await until(async () => {
    const { recipients } = await take('GET', `/messages/${sent.id}`, { headers });
    return recipients.items[0].status === 'sent';
  });
  const { data } = await take('GET', '/v1/messages?ref=r', { key: testing });
  expect(data).toMatchObject([{ state: 'sent', test: true }]);
  expect((await arrivedIds()).has(data[0].id)).toBe(false);
});

test('a test key is made by the command line, and told by its form, in lists and to itself', async () => {
  const cli = (...argv: string[]) => runCli(argv, { MILLRACE_URL: server.url, MILLRACE_KEY: adminKey });
  const made = await cli('key', 'create', '--test');
  expect(made.out.trim()).toMatch(/^mr_test_[\w-]{43}$/);
  expect((await cli('key', 'list')).out).toContain('active, test');
  expect(await take('GET', '/v1/caller', { key: made.out.trim() })).toMatchObject({ test: true });
  const refused = await cli('key', 'create', '--test', '--scope', 'send,manage');
  expect([refused.status, refused.err]).toEqual([1, expect.stringContaining('--scope')]);
  const { data } = await take('GET', '/v1/keys');
  const { id } = data.find(({ test: isTest }: { test: boolean }) => isTest);
  const rotated = await take('POST', `/v1/keys/${id}/rotate`);
  expect(rotated).toMatchObject({ test: true, key: expect.stringMatching(/^mr_test_/) });
  expect((await call('GET', '/v1/lanes', { key: rotated.key })).status).toBe(200);
});
