import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { until } from '../delivery/mill.ts';
import { findInDatabase } from '../support/find-in-database.ts';
import { freePort } from '../support/free-port.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { killProcesses, type MillraceProcess, startProcess } from '../support/start-process.ts';
import { type ReportReceiver, startReportReceiver } from './report-receiver.ts';

const adminKey = 'status-reports-administrator-key-0123456789';
const firstKey = 'PlLrKaqvZNRR5zAjm42ZT6q1SQxgbbGd';
let databaseUrl: string;
let port: number;
let server: MillraceProcess;
let receiver: ReportReceiver;
let accountId: string;
let key: string;

const startServer = () =>
  startProcess(['serve', '--port', String(port), '--database', databaseUrl, '--log-level', 'fatal'], {
    MILLRACE_ADMIN_KEY: adminKey,
  });

beforeAll(async () => {
  databaseUrl = (await createTestDatabase()).url;
  port = await freePort();
  receiver = await startReportReceiver(firstKey);
  const sink = await startProcess(['sink', '--port', '0']);
  server = await startServer();
  const out = { connector: 'http', url: `${sink.url}/`, allowPrivate: true };
  const { receiptsUrl } = await manage('PUT', '/v1/routes/out', out);
  await fetch(`${sink.url}/receipts`, { method: 'PUT', body: JSON.stringify({ url: receiptsUrl }) });
  const secrets = [{ secret: `whsec_${randomBytes(32).toString('base64')}` }];
  const retry = { waitsMs: [500, 500], attemptsMax: 100 };
  await manage('PUT', '/v1/routes/callbacks', { connector: 'webhook', allowPrivate: true, secrets, retry });
  const account = await manage('POST', '/v1/accounts', { name: 'classic', defaultRoutes: { sms: 'out' } });
  accountId = account.id;
  key = (await manage('POST', '/v1/keys', { accountId, scopes: ['send', 'read', 'manage'] })).key;
  await own('PUT', '/v1/signing-key', { key: firstKey });
});

afterAll(async () => {
  await receiver.close();
  killProcesses();
});

beforeEach(() => {
  receiver.taken.length = 0;
  receiver.forged = 0;
});

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
async function call(authorization: string, method: string, path: string, body?: unknown): Promise<any> {
  const answer = await fetch(server.url + path, {
    method,
    headers: { authorization, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  expect(answer.status, text).toBeLessThan(300);
  return JSON.parse(text);
}

const manage = (method: string, path: string, body?: unknown) =>
  call(`Bearer ${adminKey}`, method, path, body);
const own = (method: string, path: string, body?: unknown) => call(`Bearer ${key}`, method, path, body);
const classic = (method: string, path: string, body?: unknown) =>
  call(`AccessKey ${key}`, method, path, body);

const message = (recipients: string, more: object = {}) => ({
  ...{ originator: 'YourName', recipients, body: 'hello', reference: 'order 1', reportUrl: receiver.url },
  ...more,
});

const statusesOf = (recipient: string) =>
  receiver.taken.filter((report) => report.recipient === recipient).map(({ status }) => status);

test('each status of each recipient is reported once, as the classic API did, to whom the message names', async () => {
  const silent = await classic('POST', '/messages', message('31611111111', { reference: undefined }));
  expect(silent.reportUrl).toBe(receiver.url);
  const made = await classic('POST', '/messages', message('31612345678,31612345679'));
  expect(made).toMatchObject({ reference: 'order 1', reportUrl: receiver.url });
  await until(() => receiver.taken.length >= 4);
  for (const recipient of ['31612345678', '31612345679']) {
    expect(statusesOf(recipient).sort()).toEqual(['delivered', 'sent']);
  }
  const statusDatetime = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/);
  for (const { recipient, status, ...rest } of receiver.taken) {
    expect(rest).toEqual({ shop: '1', id: made.id, reference: 'order 1', statusDatetime });
  }
  expect(receiver.forged).toBe(0);
  expect((await classic('GET', `/messages/${made.id}`)).reportUrl).toBe(receiver.url);
  // They are messages, which support staff find by the URL and by the message that they tell of.
  const listed = (await own('GET', `/v1/messages?to=${encodeURIComponent(receiver.url)}`)).data;
  expect(listed.map(({ route }: { route: string }) => route)).toEqual(Array(4).fill('callbacks'));
  const recipients = (await own('GET', '/v1/messages?to=%2B31612345678')).data;
  expect(recipients).toHaveLength(1);
  const telling = (await own('GET', `/v1/messages?ref=${recipients[0].id}`)).data;
  expect(telling).toHaveLength(2);
  // The feed of the account has none of them, and who asked for none was told nothing.
  const told = (await own('GET', '/v1/events?limit=1000')).data.map(
    ({ messageId }: { messageId: string }) => messageId,
  );
  expect(told).toContain(recipients[0].id);
  expect(told).not.toContain(listed[0].id);
  expect(statusesOf('31611111111')).toEqual([]);
});

test('after a change of the key reports are signed by the new one, also those that were refused before', async () => {
  expect(await findInDatabase(databaseUrl, firstKey)).toEqual([]);
  const changed = await own('PUT', '/v1/signing-key');
  expect(changed.key).toMatch(/^[\w-]{32}$/);
  expect(await own('GET', '/v1/signing-key')).toEqual({
    hint: `…${changed.key.slice(-4)}`,
    changedAt: changed.changedAt,
  });
  // The receiver still has the old one. The change takes a moment until it is known to who sends.
  let recipient = '';
  for (let n = 0; receiver.forged === 0; n++) {
    recipient = `3161333${1_000 + n}`;
    await classic('POST', '/messages', message(recipient));
    await until(() => receiver.forged > 0 || statusesOf(recipient).length === 2);
  }
  receiver.signingKey = changed.key;
  await until(() => statusesOf(recipient).length === 2);
  expect(statusesOf(recipient).sort()).toEqual(['delivered', 'sent']);
});

test('nobody has a report made of another message, or reads what a message is reported to', async () => {
  const sent = await fetch(`${server.url}/v1/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ to: '+31614444444', body: 'x', ref: 'r', reportUrl: receiver.url }),
  });
  expect([sent.status, await sent.json()]).toMatchObject([422, { errors: [{ code: 'unknown_field' }] }]);
});

test('erasing a recipient erases the reports that tell of them', async () => {
  await classic('POST', '/messages', message('31699999999'));
  await until(() => receiver.taken.length === 2);
  const listed = async () => (await own('GET', '/v1/messages?to=%2B31699999999')).data;
  await until(async () => (await listed())[0]?.state === 'delivered');
  const erased = await own('POST', '/v1/recipients/erase', { to: '+31699999999' });
  expect(erased).toMatchObject({ messages: 3, complete: true });
  expect(await findInDatabase(databaseUrl, '31699999999')).toEqual([]);
});

test('a server that is killed amid reports makes one of each change, and leaves none out', {
  timeout: 180_000,
}, async () => {
  const reportUrl = `${receiver.url}&killed=once`;
  const [messageCount, each] = [4, 20];
  const messages = Array.from({ length: messageCount }, (_, n) => {
    const recipients = Array.from({ length: each }, (_, m) => `3162${1_000_000 + n * each + m}`);
    return message(recipients.join(','), { reportUrl });
  });
  const first = (await own('GET', '/v1/events?after=now')).next;
  await classic('POST', '/messages/batches', { messages });
  await until(() => receiver.taken.length > messageCount * each * 0.5);
  await server.kill();
  server = await startServer();
  const told = () => {
    // Attempts that were cut off are reported as well.
    const last = receiver.taken.filter(({ status }) => status !== 'buffered');
    return new Set(last.map(({ recipient, status }) => `${recipient} ${status}`)).size;
  };
  await until(() => told() === 2 * messageCount * each);
  const events = (await readAll(`/v1/events?limit=1000&after=${first}`)).filter(
    ({ state, attempt }) => state !== 'retrying' || attempt === 1,
  );
  const reports = await readAll(`/v1/messages?to=${encodeURIComponent(reportUrl)}&limit=200`);
  expect(reports.map(({ ref }) => ref).sort()).toEqual(events.map(({ messageId }) => messageId).sort());
  expect(receiver.forged).toBe(0);
});

// biome-ignore lint/suspicious/noExplicitAny: as above.
async function readAll(path: string): Promise<any[]> {
  const all = [];
  for (let at = path; ; ) {
    const { data, next } = await own('GET', at);
    all.push(...data);
    // The feed has a place to go on at also where there is no more.
    if (next === null || data.length === 0) return all;
    const url = new URL(path, server.url);
    url.searchParams.set('after', next);
    at = url.pathname + url.search;
  }
}
