import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ProblemError } from '../../src/message/error-codes.ts';
import { numbered, startIntake, storedMessages, type TestIntake } from './start-intake.ts';

let api: TestIntake;
let directory: string;
beforeAll(async () => {
  api = await startIntake();
  directory = await mkdtemp(join(tmpdir(), 'millrace-kept-'));
  api.context.keptBodies = directory;
});
afterEach(async () => {
  expect(await readdir(directory)).toEqual([]);
});
afterAll(async () => {
  await api.stop();
  await rm(directory, { recursive: true });
});

const ndjson = { 'content-type': 'application/x-ndjson' };
const oneCall = '/v1/batches?route=r&atomic=true';

/** What there is of batches and messages, of everybody. */
async function stored(): Promise<{ batches: number; messages: number }> {
  const { rows } = await api.database.query<{ batches: number; messages: number }>({
    name: '',
    text: `SELECT (SELECT count(*)::int FROM batch) AS batches, (SELECT coalesce(sum(count), 0)::int FROM chunk) AS messages`,
  });
  return rows[0]!;
}

async function post(
  path: string,
  body: string | Buffer,
  headers: Record<string, string> = ndjson,
  key = api.adminKey,
) {
  const answer = await fetch(api.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, ...headers },
    body,
  });
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  return { status: answer.status, headers: answer.headers, json: (await answer.json()) as any };
}

test('lines that can all be taken are, and leave when all is there', async () => {
  const { status, json } = await post(oneCall, numbered(3_017));
  expect(status).toBe(201);
  expect(json).toMatchObject({ state: 'delivering', start: 'close', nextLine: 3_018, errors: [] });
  expect(json.counts).toMatchObject({ accepted: 3_017, rejected: 0 });
  expect(await storedMessages(api.database, json.id)).toHaveLength(3_017);
  expect(api.released).toContain(json.id);
  expect(api.hints.some(({ batch }) => batch === json.id)).toBe(false);
});

const good = numbered(2_500);
const [to, wrong] = ['+31612345678', 'nobody'];
const bodies: [string, string | Buffer, Record<string, string>, object][] = [
  ['NDJSON', `${good}\n{"to":"${wrong}"}`, ndjson, { line: 2_502, code: 'invalid_recipient' }],
  [
    'gzip',
    gzipSync(`not json\n${good}`),
    { ...ndjson, 'content-encoding': 'gzip' },
    { line: 1, code: 'invalid_json' },
  ],
  [
    'CSV',
    `to,body\n${to},x\n${wrong},y\n`,
    { 'content-type': 'text/csv' },
    { line: 3, code: 'invalid_recipient' },
  ],
  [
    'a JSON array',
    JSON.stringify([
      { to, body: 'x' },
      { to, colour: 'red' },
    ]),
    { 'content-type': 'application/json' },
    { line: 2, code: 'unknown_field' },
  ],
];

test.each(bodies)('of %s with a line that cannot be taken nothing is', async (_, body, headers, problem) => {
  const before = await stored();
  const { status, json } = await post(oneCall, body, headers);
  expect([status, json.code]).toEqual([422, 'validation_failed']);
  expect(json).toMatchObject({ accepted: 0, rejected: 1, errors: [problem] });
  expect(json.detail).toMatch(/^Nothing was taken: 1 of \d+ lines cannot be; line \d+: /);
  expect(await stored()).toEqual(before);
});

test('of many such lines the first hundred are told', async () => {
  const { json } = await post(oneCall, `${'x\n'.repeat(250)}${good}`);
  expect(json).toMatchObject({ rejected: 250, accepted: 0 });
  expect(json.errors.map(({ line }: { line: number }) => line)).toEqual(
    Array.from({ length: 100 }, (_, n) => n + 1),
  );
});

test('a body that is no upload from some line on, or no gzip, is not begun', async () => {
  const before = await stored();
  const json = { 'content-type': 'application/json' };
  expect((await post(oneCall, '[{"to":"+31612345678"}, {"to":', json)).json.code).toBe('broken_upload');
  const notGzip = await post(oneCall, good, { ...ndjson, 'content-encoding': 'gzip' });
  expect([notGzip.status, notGzip.json.code]).toEqual([400, 'invalid_request']);
  expect(await stored()).toEqual(before);
});

test('of a connection that breaks before the end nothing is taken', async () => {
  const before = await stored();
  const judging = new Promise<void>((resolve) => {
    const { judge } = api.context.intake.uploads;
    api.context.intake.uploads.judge = function observed(request) {
      delete (this as { judge?: unknown }).judge;
      const judged = judge.call(this, request);
      judged.then(
        () => resolve(),
        () => resolve(),
      );
      return judged;
    };
  });
  const request = http.request(api.url + oneCall, {
    method: 'POST',
    headers: { authorization: `Bearer ${api.adminKey}`, ...ndjson, 'content-length': 1_000_000 },
  });
  request.on('error', () => {});
  request.write(good, () => request.destroy());
  await judging;
  expect(await stored()).toEqual(before);
});

test('what the account may not send whole is not taken, and nothing is charged', async () => {
  const account = await api.call('POST', '/v1/accounts', {
    body: { name: 'limited', limits: { messagesPerDay: 2_499 } },
  });
  const { id: accountId } = account.json;
  const { key } = (await api.call('POST', '/v1/keys', { body: { accountId, scopes: ['send', 'read'] } }))
    .json;
  const before = await stored();
  const refused = await post(oneCall, good, ndjson, key);
  expect([refused.status, refused.json.code]).toEqual([429, 'quota_exceeded']);
  expect(await stored()).toEqual(before);
  const used = async () => (await api.call('GET', `/v1/accounts/${accountId}/usage`)).json.messages.used;
  expect(await used()).toBe(0);
  expect((await post(oneCall, numbered(2_499), ndjson, key)).status).toBe(201);
  expect(await used()).toBe(2_499);
});

test('with a key it is done once, and a refused body may be mended under it', async () => {
  const headers = { ...ndjson, 'idempotency-key': 'all or none' };
  expect((await post(oneCall, `${good}\nx`, headers)).status).toBe(422);
  const first = await post(oneCall, good, headers);
  expect(first.status).toBe(201);
  const second = await post(oneCall, good, headers);
  expect(second.headers.get('idempotent-replayed')).toBe('true');
  expect(second.json).toEqual(first.json);
  expect((await post(oneCall, numbered(3), headers)).json.code).toBe('idempotency_key_reused');
});

/** Ends the next second reading after so many lines of it were read, as the end of a server would. */
function endNextAfter(lines: number): void {
  const { uploads } = api.context.intake;
  const { upload } = uploads;
  uploads.upload = async function ended(request) {
    uploads.upload = upload;
    const body = (async function* () {
      for (let line = 0; line < lines; line++) yield Buffer.from(`${numbered(1)}`);
      throw new ProblemError('stopping', 'The server is stopping; resume the upload from nextLine.');
    })();
    return await upload.call(uploads, { ...request, body });
  };
}

test('one that was stored in part goes on with its key, and nobody else adds to its batch, closes it, or has it delivered in part', async () => {
  const headers = { ...ndjson, 'idempotency-key': 'stored in part' };
  endNextAfter(1_000);
  const ended = await post(oneCall, good, headers);
  expect([ended.status, ended.json.code]).toEqual([503, 'stopping']);
  expect(ended.json.detail).toContain('send the same again with its Idempotency-Key');
  const { batchId } = ended.json;
  expect((await api.call('GET', `/v1/batches/${batchId}`)).json.counts.accepted).toBe(1_000);
  const added = await post(`/v1/batches/${batchId}/messages`, good);
  const closed = await api.call('POST', `/v1/batches/${batchId}/close`);
  for (const { status, json } of [added, closed]) {
    expect([status, json.code]).toEqual([409, 'conflict']);
    expect(json.detail).toContain('filled by one request');
  }
  expect(api.released).not.toContain(batchId);
  const again = await post(oneCall, good, headers);
  expect([again.status, again.json.id, again.json.counts.accepted]).toEqual([201, batchId, 2_500]);
  expect(await storedMessages(api.database, batchId)).toHaveLength(2_500);
});

test('without a key nobody can go on, and its batch is canceled', async () => {
  endNextAfter(1_000);
  const { status, json } = await post(oneCall, good);
  expect([status, json.code]).toEqual([503, 'stopping']);
  expect(json.detail).toContain('its batch is canceled');
  expect((await api.call('GET', `/v1/batches/${json.batchId}`)).json).toMatchObject({ state: 'canceled' });
});

test.each([
  ['more lines', `${good}{"to":"+31612345678"}`],
  ['a bad line', `${good}x`],
  ['fewer lines', numbered(1_500)],
])('another body with the key of one that was stored in part, of %s, is never taken', async (name, other) => {
  const headers = { ...ndjson, 'idempotency-key': `another body ${name}` };
  endNextAfter(1_000);
  expect((await post(oneCall, good, headers)).status).toBe(503);
  for (let time = 0; time < 2; time++) {
    const { status, json } = await post(oneCall, other, headers);
    expect([status, json.code]).toEqual([409, 'conflict']);
    expect(json.detail).toContain('Nothing of it leaves');
    expect(api.released).not.toContain(json.batchId);
  }
});

test('what lines are judged by may change between the two readings: then nothing leaves, however often it is asked', async () => {
  const template = await api.call('POST', '/v1/templates', {
    body: { name: 'gone', channel: 'sms', body: 'Hi' },
  });
  await api.call('PUT', '/v1/routes/texts', {
    body: { connector: 'http', channel: 'sms', url: 'http://127.0.0.1:9/', allowPrivate: true },
  });
  const { uploads } = api.context.intake;
  const { judge } = uploads;
  uploads.judge = async function judged(request) {
    uploads.judge = judge;
    const judgement = await judge.call(uploads, request);
    await api.call('DELETE', `/v1/templates/${template.json.name}`);
    return judgement;
  };
  const headers = { ...ndjson, 'idempotency-key': 'a template that goes' };
  const line = '{"to":"+31612345678","template":"gone"}\n';
  for (let time = 0; time < 2; time++) {
    const { status, json } = await post('/v1/batches?route=texts&atomic=true', line.repeat(5), headers);
    expect([status, json.code]).toEqual([409, 'conflict']);
    expect((await api.call('GET', `/v1/batches/${json.batchId}`)).json).toMatchObject({ state: 'open' });
  }
});

test('of two at once that fit the quota each but not together, one is taken and the other is not touched', async () => {
  const account = await api.call('POST', '/v1/accounts', {
    body: { name: 'shared', limits: { messagesPerDay: 4_000 } },
  });
  const { id: accountId } = account.json;
  const { key } = (await api.call('POST', '/v1/keys', { body: { accountId, scopes: ['send', 'read'] } }))
    .json;
  const answers = await Promise.all([good, good, good].map((body) => post(oneCall, body, ndjson, key)));
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 429, 429]);
  expect((await api.call('GET', `/v1/accounts/${accountId}/usage`)).json.messages.used).toBe(2_500);
  expect((await api.call('GET', '/v1/batches', { key })).json.data).toHaveLength(1);
});

test('it is for uploads in one call, that start when they are closed', async () => {
  const { id } = (await api.call('POST', '/v1/batches', { body: { route: 'r', start: 'close' } })).json;
  const appended = await post(`/v1/batches/${id}/messages?atomic=true`, good);
  expect([appended.status, appended.json.code]).toEqual([422, 'not_available']);
  const { status, json } = await post(`${oneCall}&start=now`, good);
  expect([status, json.errors[0].pointer]).toEqual([422, '/start']);
  for (const value of ['maybe', '', '2']) {
    expect((await post(`/v1/batches?route=r&atomic=${value}`, good)).status, value).toBe(422);
  }
  expect((await post('/v1/batches?route=r&atomic=false', good)).json.start).toBe('now');
});

test('a server that cannot keep the body says so', async () => {
  const inTheWay = join(directory, 'file');
  await writeFile(inTheWay, '');
  api.context.keptBodies = inTheWay;
  try {
    const { status, headers, json } = await post(oneCall, good);
    expect([status, json.code, headers.get('retry-after')]).toEqual([503, 'unavailable', '5']);
    expect(json.detail).toContain('without atomic=true');
  } finally {
    api.context.keptBodies = directory;
    await rm(inTheWay);
  }
});
