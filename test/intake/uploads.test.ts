import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { limits } from '../../src/message/limits.ts';
import { numbered, startIntake, storedMessages, type TestIntake } from './start-intake.ts';

let api: TestIntake;
beforeAll(async () => {
  api = await startIntake();
});
afterAll(() => api.stop());

const ndjson = { 'content-type': 'application/x-ndjson' };

async function newBatch(settings: Record<string, unknown> = {}): Promise<string> {
  const { status, json } = await api.call('POST', '/v1/batches', { body: { route: 'r', ...settings } });
  expect(status).toBe(201);
  return json.id;
}

function refs(messages: Record<string, unknown>[]): string[] {
  return messages.map(({ ref }) => String(ref));
}

test('an upload in one call is created, filled and closed', async () => {
  const count = 3 * limits.chunkMessagesMax + 17;
  const { status, json } = await api.call('POST', '/v1/batches?route=r', {
    headers: ndjson,
    body: numbered(count),
  });
  expect(status).toBe(201);
  expect(json).toMatchObject({ state: 'delivering', nextLine: count + 1, errors: [] });
  expect(json.counts).toMatchObject({ accepted: count, rejected: 0, queued: count });
  const stored = await storedMessages(api.database, json.id);
  expect(refs(stored)).toEqual(Array.from({ length: count }, (_, index) => String(index)));
  expect(api.hints.filter(({ batch }) => batch === json.id).map((hint) => hint.count)).toEqual([
    1000, 1000, 1000, 17,
  ]);
});

test('CSV, JSON arrays and gzip give the same messages as NDJSON', async () => {
  const lines = [
    { to: '+31612345678', body: 'one, "two"\nthree', ref: 'a' },
    { to: '+31612345679', body: 'ünï', ref: 'b' },
  ];
  const csv = 'to,body,ref\r\n+31612345678,"one, ""two""\nthree",a\r\n+31612345679,ünï,b\r\n';
  const bodies: [string, string | Buffer, Record<string, string>][] = [
    ['application/x-ndjson', lines.map((line) => `${JSON.stringify(line)}\r\n`).join(''), {}],
    ['text/csv', csv, {}],
    ['application/json', JSON.stringify(lines, null, 2), {}],
    ['text/csv', gzipSync(csv), { 'content-encoding': 'gzip' }],
  ];
  for (const [type, body, headers] of bodies) {
    const response = await fetch(`${api.url}/v1/batches?route=r`, {
      method: 'POST',
      headers: { authorization: `Bearer ${api.adminKey}`, 'content-type': type, ...headers },
      body,
    });
    const batch = (await response.json()) as { id: string };
    expect(response.status, type).toBe(201);
    expect(await storedMessages(api.database, batch.id), type).toEqual(lines);
  }
});

test('a bad line is reported with its number and its neighbours are kept', async () => {
  const body = '{"to":"+31612345678"}\n\nnot json\n{"to":"+31612345679"}\n{"to":"nobody"}';
  const batch = await newBatch();
  const { status, json } = await api.call('POST', `/v1/batches/${batch}/messages`, { headers: ndjson, body });
  expect(status).toBe(200);
  expect(json).toMatchObject({ accepted: 2, rejected: 2, nextLine: 6 });
  expect(json.errors).toMatchObject([
    { line: 3, code: 'invalid_json' },
    { line: 5, code: 'invalid_recipient' },
  ]);
  const rejections = await api.call('GET', `/v1/batches/${batch}/rejections`);
  expect(
    rejections.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual(json.errors);
});

test('the answer lists the first rejections and all of them can be read back', async () => {
  const bad = 2_345;
  const batch = await newBatch();
  const { json } = await api.call('POST', `/v1/batches/${batch}/messages?close=true`, {
    headers: ndjson,
    body: '{}\n'.repeat(bad),
  });
  expect(json).toMatchObject({ accepted: 0, rejected: bad });
  expect(json.errors).toHaveLength(limits.errorsListedMax);
  const rejections = await api.call('GET', `/v1/batches/${batch}/rejections`);
  const lines = rejections.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).line);
  expect(lines).toEqual(Array.from({ length: bad }, (_, index) => index + 1));
});

test('appends go on counting lines, and a closed batch takes no more', async () => {
  const batch = await newBatch();
  const path = `/v1/batches/${batch}/messages`;
  for (const from of [0, 10, 20]) {
    const { json } = await api.call('POST', path, { headers: ndjson, body: numbered(10, from) });
    expect(json).toMatchObject({ accepted: 10, nextLine: from + 11 });
  }
  const closed = await api.call('POST', `/v1/batches/${batch}/close`);
  expect(closed.json).toMatchObject({ state: 'delivering', nextLine: 31 });
  const refused = await api.call('POST', path, { headers: ndjson, body: numbered(1) });
  expect(refused.json).toMatchObject({ status: 409, code: 'batch_closed' });
  expect(refs(await storedMessages(api.database, batch))).toEqual(
    Array.from({ length: 30 }, (_, n) => String(n)),
  );
});

test('Upload-Line other than nextLine is refused with the right one', async () => {
  const batch = await newBatch();
  const path = `/v1/batches/${batch}/messages`;
  await api.call('POST', path, { headers: ndjson, body: numbered(10) });
  const wrong = await api.call('POST', path, {
    headers: { ...ndjson, 'upload-line': '5' },
    body: numbered(1),
  });
  expect(wrong.json).toMatchObject({ status: 409, code: 'upload_line_mismatch', nextLine: 11 });
  const right = await api.call('POST', path, {
    headers: { ...ndjson, 'upload-line': '11' },
    body: numbered(1),
  });
  expect(right.json).toMatchObject({ accepted: 1, nextLine: 12 });
});

test('a batch that starts at its closing is not due before', async () => {
  const batch = await newBatch({ start: 'close' });
  await api.call('POST', `/v1/batches/${batch}/messages`, { headers: ndjson, body: numbered(5) });
  const due = {
    name: '',
    text: `SELECT count(*)::integer AS held FROM pending WHERE batch = $1 AND due_at = 'infinity'`,
  };
  expect((await api.database.query(due, [batch])).rows).toEqual([{ held: 1 }]);
  expect(api.hints.some((hint) => hint.batch === batch)).toBe(false);
  await api.call('POST', `/v1/batches/${batch}/close`);
  expect((await api.database.query(due, [batch])).rows).toEqual([{ held: 0 }]);
});

test('what cannot be cut any further ends the upload, and the lines before it stand', async () => {
  const batch = await newBatch();
  const { json } = await api.call('POST', `/v1/batches/${batch}/messages`, {
    headers: { 'content-type': 'application/json' },
    body: '[{"to":"+31612345678"}, {"to":"+31612345679"',
  });
  expect(json).toMatchObject({ status: 422, code: 'broken_upload', nextLine: 2, errors: [{ line: 2 }] });
  expect(await storedMessages(api.database, batch)).toHaveLength(1);
});

test.each([
  ['an unknown route', '/v1/batches?route=nowhere', ndjson, '', 422, 'unknown_route'],
  ['no route', '/v1/batches', ndjson, '', 422, 'validation_failed'],
  ['an unknown query', '/v1/batches?route=r&colour=red', ndjson, '', 422, 'validation_failed'],
  ['an option to come', '/v1/batches?route=r&tags=a', ndjson, '', 422, 'not_available'],
  [
    'another media type',
    '/v1/batches?route=r',
    { 'content-type': 'text/html' },
    'x',
    415,
    'unsupported_media_type',
  ],
  [
    'another encoding',
    '/v1/batches?route=r',
    { ...ndjson, 'content-encoding': 'br' },
    'x',
    415,
    'unsupported_media_type',
  ],
  [
    'broken gzip',
    '/v1/batches?route=r',
    { ...ndjson, 'content-encoding': 'gzip' },
    'x',
    400,
    'invalid_request',
  ],
  [
    'an unknown column',
    '/v1/batches?route=r',
    { 'content-type': 'text/csv' },
    'to,colour\n',
    422,
    'broken_upload',
  ],
  ['a batch that is no id', '/v1/batches/x/messages', ndjson, '', 404, 'not_found'],
  [
    'a batch that is not there',
    '/v1/batches/01a1fc41-c3bb-7104-9839-af10d9b75800/messages',
    ndjson,
    '',
    404,
    'not_found',
  ],
  [
    'an Upload-Line that is no line',
    '/v1/batches/x/messages',
    { ...ndjson, 'upload-line': '0' },
    '',
    404,
    'not_found',
  ],
])('%s gets a clear refusal', async (_name, path, headers, body, status, code) => {
  const answer = await api.call('POST', path, { headers: headers as Record<string, string>, body });
  expect(answer.json).toMatchObject({ status, code });
});

test('a batch of another account cannot be appended to or closed', async () => {
  const batch = await newBatch();
  const other = await api.makeAccount('other', ['send']);
  const path = `/v1/batches/${batch}`;
  expect(
    (await api.call('POST', `${path}/messages`, { key: other.key, headers: ndjson, body: '' })).status,
  ).toBe(404);
  expect((await api.call('POST', `${path}/close`, { key: other.key })).status).toBe(404);
});
