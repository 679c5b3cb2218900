import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
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

test('a batch that waits for its closing takes the lines of a request whole or not at all', async () => {
  const { id } = (await api.call('POST', '/v1/batches', { body: { route: 'r', start: 'close' } })).json;
  const append = (body: string, query = '?atomic=true', headers = {}) =>
    post(`/v1/batches/${id}/messages${query}`, body, { ...ndjson, ...headers });
  expect((await append(numbered(10))).json).toMatchObject({ accepted: 10, nextLine: 11 });
  const refused = await append(`${numbered(10)}x`);
  expect(refused.json).toMatchObject({
    status: 422,
    accepted: 0,
    errors: [{ line: 21, code: 'invalid_json' }],
  });
  expect((await append('x', '')).json).toMatchObject({ accepted: 0, rejected: 1, nextLine: 12 });
  expect((await append(numbered(5), '?atomic=true', { 'upload-line': '11' })).json.code).toBe(
    'upload_line_mismatch',
  );
  expect((await append(numbered(5), '?atomic=true&close=true', { 'upload-line': '12' })).json.nextLine).toBe(
    17,
  );
  const batch = await api.call('GET', `/v1/batches/${id}`);
  expect(batch.json).toMatchObject({ state: 'delivering', counts: { accepted: 15, rejected: 1 } });
});

test('a batch whose lines leave as they come takes none whole, nor does one in one call that is told to start at once', async () => {
  const { id } = (await api.call('POST', '/v1/batches', { body: { route: 'r' } })).json;
  const appended = await post(`/v1/batches/${id}/messages?atomic=true`, good);
  expect([appended.status, appended.json.code]).toEqual([409, 'conflict']);
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
