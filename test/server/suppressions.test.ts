import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../delivery/mill.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { runCli } from '../support/run-cli.ts';
import { killProcesses, type MillraceProcess, startProcess } from '../support/start-process.ts';

const adminKey = 'suppressions-administrator-key-0123456789';
let sink: MillraceProcess;
let server: MillraceProcess;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-suppressions-'));
  const { url } = await createTestDatabase();
  sink = await startProcess(['sink', '--port', '0', '--arrivals', '20000']);
  // Of several workers each one has to know a list before anybody is told that it holds.
  const settings = ['--port', '0', '--database', url, '--processes', '2', '--log-level', 'warn'];
  server = await startProcess(['serve', ...settings], { MILLRACE_ADMIN_KEY: adminKey });
  const route = { connector: 'http', url: `${sink.url}/`, allowPrivate: true };
  await call('PUT', '/v1/routes/sms', { ...route, channel: 'sms' });
  await call('PUT', '/v1/routes/slow', { ...route, ratePerSecond: 300 });
});

afterAll(async () => {
  killProcesses();
  await rm(directory, { recursive: true });
});

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
async function call(method: string, path: string, body?: unknown, key = adminKey): Promise<any> {
  const type = typeof body === 'string' ? 'application/x-ndjson' : 'application/json';
  const answer = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { 'content-type': type }) },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  expect(answer.status, `${method} ${path}: ${text}`).toBeLessThan(300);
  return JSON.parse(text);
}

const cli = (...argv: string[]) =>
  runCli(['suppression', ...argv], { MILLRACE_URL: server.url, MILLRACE_KEY: adminKey });
const phone = (n: number) => `+316${10_000_000 + n}`;
const linesTo = (recipients: readonly string[]) =>
  recipients.map((to) => JSON.stringify({ to, body: 'x' })).join('\n');
const phones = (from: number, count: number) => Array.from({ length: count }, (_, n) => phone(from + n));

// biome-ignore lint/suspicious/noExplicitAny: as above.
const askSink = async (path: string): Promise<any> => await (await fetch(`${sink.url}/${path}`)).json();

/** The ids of all messages that the sink took. */
async function arrivedIds(): Promise<Set<string>> {
  const ids = new Set<string>();
  for (let after = 0; ; ) {
    const page = await askSink(`arrivals?after=${after}&limit=10000`);
    for (const { id } of page.data) ids.add(id);
    if (page.data.length === 0) return ids;
    after = page.next;
  }
}

async function untilDone(batch: string, key = adminKey) {
  await until(async () => (await call('GET', `/v1/batches/${batch}`, undefined, key)).state === 'done');
  return (await call('GET', `/v1/batches/${batch}`, undefined, key)).counts;
}

/** The messages of a batch that were not sent because of a list. */
async function suppressedOf(batch: string) {
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  const found: any[] = [];
  for (let after = ''; ; ) {
    const page = await call('GET', `/v1/batches/${batch}/messages?state=suppressed&limit=200${after}`);
    found.push(...page.data);
    if (page.next === null) return found;
    after = `&after=${page.next}`;
  }
}

async function untilFinal(id: string) {
  const read = () => call('GET', `/v1/messages/${id}`);
  await until(async () => !['queued', 'sending', 'retrying'].includes((await read()).state));
  return await read();
}

test('of a batch those who are on an imported list get nothing, and another account reaches them', async () => {
  const list = phones(0, 1_500).filter((_, n) => n % 5 === 0);
  const file = join(directory, 'list.txt.gz');
  await writeFile(file, gzipSync(['to', ...list, '', list[0], '0612345678'].join('\n')));
  const imported = await cli('import', file, '--reason', 'moved', '--json');
  expect(JSON.parse(imported.out)).toEqual({ added: 300, present: 1, rejected: 1 });
  expect(imported.err).toContain('line 304');
  expect(JSON.parse((await cli('import', file, '--json')).out)).toMatchObject({ added: 0, present: 301 });

  const { id: accountId } = await call('POST', '/v1/accounts', { name: 'another' });
  const { key } = await call('POST', '/v1/keys', { accountId, scopes: ['send', 'read'] });
  const batch = await call('POST', '/v1/batches?route=sms', linesTo(phones(0, 1_600)));
  const other = await call('POST', '/v1/batches?route=sms', linesTo(phones(0, 400)), key);
  expect(await untilDone(batch.id)).toMatchObject({ accepted: 1_600, sent: 1_300, suppressed: 300 });
  expect(await untilDone(other.id, key)).toMatchObject({ accepted: 400, sent: 400, suppressed: 0 });

  const suppressed = await suppressedOf(batch.id);
  expect(suppressed.map(({ to }) => to).sort()).toEqual(list.sort());
  const told = { code: 'suppressed', detail: expect.stringContaining('suppression list') };
  expect(suppressed[0]).toMatchObject({ state: 'suppressed', attempts: 0, error: told });
  const arrived = await arrivedIds();
  expect(suppressed.filter(({ id }) => arrived.has(id))).toEqual([]);
  expect(arrived.size).toBe(1_700);
});

test('a single message to somebody who was suppressed a moment ago is not sent, nor replayed, until they are removed', async () => {
  expect((await cli('add', phone(5_000), '--reason', 'asked')).out).toContain('1 recipient added');
  const send = async () =>
    (await call('POST', '/v1/messages', { to: phone(5_000), body: 'x', route: 'sms' })).messages[0].id;
  const id = await send();
  expect(await untilFinal(id)).toMatchObject({ state: 'suppressed', error: { code: 'suppressed' } });
  await expect(call('POST', `/v1/messages/${id}/replay`)).rejects.toThrow('The message is suppressed');
  expect((await call('GET', '/v1/messages?state=suppressed')).data).toMatchObject([{ id }]);
  expect((await cli('list', '--to', phone(5_000))).out).toContain('asked');
  expect((await cli('remove', phone(5_000))).status).toBe(0);
  expect(await untilFinal(await send())).toMatchObject({ state: 'sent' });
  expect((await cli('show', phone(5_000))).err).toContain('not suppressed');
  expect((await arrivedIds()).has(id)).toBe(false);
});

test('who is suppressed amid a running batch gets nothing more of it', async () => {
  const { received: before } = await askSink('ledger');
  const recipients = phones(20_000, 3_000);
  const batch = await call('POST', '/v1/batches?route=slow', linesTo(recipients));
  await until(async () => (await call('GET', `/v1/batches/${batch.id}`)).counts.sent > 100);
  const part = (from: number) => recipients.slice(from, from + 1_000).map((to) => ({ to, channel: 'sms' }));
  for (const from of [0, 1_000, 2_000]) await call('POST', '/v1/suppressions', part(from));
  const counts = await untilDone(batch.id);
  expect(counts.sent + counts.suppressed).toBe(3_000);
  expect(counts.suppressed).toBeGreaterThan(0);
  const suppressed = await suppressedOf(batch.id);
  expect(suppressed).toHaveLength(counts.suppressed);
  const arrived = await arrivedIds();
  expect(suppressed.filter(({ id }) => arrived.has(id))).toEqual([]);
  const { received, duplicates } = await askSink('ledger');
  expect([received - before, duplicates]).toEqual([counts.sent, 0]);
});

test('an erased person gets nothing on', async () => {
  await cli('add', phone(6_000));
  expect(await call('POST', '/v1/recipients/erase', { to: phone(6_000) })).toMatchObject({
    suppressed: true,
  });
  const { messages } = await call('POST', '/v1/messages', { to: phone(6_000), body: 'x', route: 'sms' });
  expect(await untilFinal(messages[0].id)).toMatchObject({ state: 'suppressed' });
  expect(JSON.parse((await cli('show', phone(6_000), '--json')).out)).toMatchObject({
    to: null,
    reason: null,
  });
});
