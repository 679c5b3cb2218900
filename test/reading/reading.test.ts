import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { messageIdAt } from '../../src/message/id.ts';
import { stateNumber } from '../../src/message/state.ts';
import type { TestApi } from '../api/start-api.ts';
import { lines, phone, type Reading, startReading } from './start-reading.ts';

let api: TestApi;
let owner: Reading['owner'];
let store: Reading['store'];
let record: Reading['record'];
let get: Reading['get'];
let all: Reading['all'];
let stranger: { id: string; key: string };

beforeAll(async () => {
  ({ api, owner, store, record, get, all } = await startReading());
  stranger = await api.makeAccount('stranger', ['send', 'read']);
});

afterAll(() => api.stop());

describe('a batch', () => {
  test('counts what was accepted and rejected, and what became of it; the states sum up to accepted', async () => {
    const batch = await store({ lines: [...lines(30), '{"to":"nobody"}', ...lines(10, 30)], chunkLines: 20 });
    const [first, second] = batch.chunks;
    await record({ batch: batch.id, chunk: first!, state: stateNumber.sent });
    await record({
      batch: batch.id,
      chunk: second!,
      state: stateNumber.failed,
      offsets: [1, 2],
      errorCode: 'refused',
    });
    const { status, json } = await get(`/v1/batches/${batch.id}`);
    expect(status).toBe(200);
    expect(json).toMatchObject({ id: batch.id, state: 'open', route: 'sms', nextLine: 42, closedAt: null });
    expect(json.counts).toEqual({
      accepted: 40,
      rejected: 1,
      queued: 18,
      sending: 0,
      retrying: 0,
      sent: 20,
      delivered: 0,
      failed: 2,
      expired: 0,
      canceled: 0,
      suppressed: 0,
      uncertain: 0,
    });
  });

  test('says the first line that is not durable, also with a gap before later slots', async () => {
    const batch = await store({ lines: lines(60), chunkLines: 20 });
    await api.context.database.query(
      { name: '', text: 'DELETE FROM batch_slot WHERE batch = $1 AND first_line = 21' },
      [batch.id],
    );
    const { json } = await get(`/v1/batches/${batch.id}`);
    expect(json.nextLine).toBe(21);
    const listed = await get('/v1/batches?limit=1');
    expect(listed.json.data[0]).toMatchObject({ id: batch.id, nextLine: 21 });
  });

  test('begins at line 1 and counts nothing while it is empty', async () => {
    const batch = await store({ lines: [] });
    const { json } = await get(`/v1/batches/${batch.id}`);
    expect(json.nextLine).toBe(1);
    expect(json.counts.accepted).toBe(0);
    expect((await get(`/v1/batches/${batch.id}/messages`)).json).toEqual({ data: [], next: null });
  });

  test('keeps its counts when its counters are gone', async () => {
    const batch = await store({ lines: lines(3) });
    const { database } = api.context;
    const counts = JSON.stringify({ accepted: 3, rejected: 0, sent: 2, failed: 1 });
    await database.query(
      { name: '', text: 'UPDATE batch SET closed_at = now(), done_at = now(), counts = $2 WHERE id = $1' },
      [batch.id, counts],
    );
    await database.query({ name: '', text: 'DELETE FROM batch_progress WHERE batch = $1' }, [batch.id]);
    const { json } = await get(`/v1/batches/${batch.id}`);
    expect(json).toMatchObject({ state: 'done', counts: { accepted: 3, queued: 0, sent: 2, failed: 1 } });
  });

  test('is listed with the others of its account, newest first, each once', async () => {
    const mine = await api.makeAccount('lister', ['read']);
    const ids = [];
    for (let index = 0; index < 5; index++) {
      ids.unshift((await store({ lines: lines(index), accountId: Number(mine.id) })).id);
    }
    const seen = [];
    for (let next: string | null = ''; next !== null; ) {
      const page = await get(`/v1/batches?limit=2${next && `&after=${next}`}`, { key: mine.key });
      seen.push(...page.json.data);
      next = page.json.next;
    }
    // Ids of one millisecond come in the order of their random bits.
    expect(seen.map(({ id }) => id)).toEqual(ids.sort().reverse());
    expect(seen.map(({ counts }) => counts.accepted).sort()).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('messages of a batch', () => {
  test('come in order of id, each once, however small the pages', async () => {
    const batch = await store({ lines: lines(57), chunkLines: 10 });
    const expected = batch.chunks.flatMap(({ id, count }) =>
      Array.from({ length: count }, (_, offset) => messageIdAt(id, offset)),
    );
    for (const limit of [3, 10, 57]) {
      const { items } = await all(`/v1/batches/${batch.id}/messages?limit=${limit}`);
      expect(items.map(({ id }) => id)).toEqual(expected.sort());
    }
  });

  test('have the fields of their line over the defaults of the batch', async () => {
    const defaults = { from: 'Millrace', body: 'Hello', tags: ['spring'], metadata: { campaign: 7 } };
    const batch = await store({
      defaults,
      lines: [
        '{"to":"+31612345678"}',
        '{"to":"ada@example.com","from":"Ada","body":"Mine","ref":"r1","tags":[],"metadata":{"__proto__":1,"a":"é"},"subject":"S"}',
      ],
    });
    const { json } = await get(`/v1/batches/${batch.id}/messages`);
    expect(json.data[0]).toEqual({
      id: batch.chunks[0]!.id,
      batchId: batch.id,
      route: 'sms',
      to: '+31612345678',
      from: 'Millrace',
      body: 'Hello',
      ref: null,
      metadata: { campaign: 7 },
      tags: ['spring'],
      state: 'queued',
      attempts: 0,
      createdAt: json.data[0].createdAt,
      stateAt: json.data[0].createdAt,
    });
    expect(json.data[1]).toMatchObject({ from: 'Ada', body: 'Mine', ref: 'r1', tags: [], subject: 'S' });
    const { text } = await get(`/v1/messages/${json.data[1].id}`);
    expect(text).toContain('"metadata":{"__proto__":1,"a":"é"}');
  });

  test('of one state are exactly those that have it now', async () => {
    const batch = await store({ lines: lines(40), chunkLines: 10 });
    const [one, two, three] = batch.chunks;
    await record({ batch: batch.id, chunk: one!, state: stateNumber.sent });
    const failed = { batch: batch.id, state: stateNumber.failed, errorCode: 'refused' };
    await record({ ...failed, chunk: two!, offsets: [0, 3, 9], details: ['a', 'b', 'c'] });
    await record({
      batch: batch.id,
      chunk: three!,
      state: stateNumber.retrying,
      offsets: [4],
      dueInMs: 60_000,
    });
    const of = async (state: string, limit = 2) => {
      const { items } = await all(`/v1/batches/${batch.id}/messages?state=${state}&limit=${limit}`);
      expect(items.every((item) => item.state === state)).toBe(true);
      return items.map(({ id }) => id);
    };
    expect(await of('failed')).toEqual([0, 3, 9].map((offset) => messageIdAt(two!.id, offset)));
    expect(await of('retrying')).toEqual([messageIdAt(three!.id, 4)]);
    expect(await of('sent')).toHaveLength(10);
    expect(await of('queued')).toHaveLength(26);
    expect(await of('uncertain')).toEqual([]);
    // A later word takes a message out of the list, though the index still leads to its chunk.
    await record({ batch: batch.id, chunk: two!, state: stateNumber.sent, offsets: [3], attempt: 2 });
    // With another limit, for an equal read may share the answer of the one a moment ago: `record` writes past the API.
    expect(await of('failed', 1)).toEqual([0, 9].map((offset) => messageIdAt(two!.id, offset)));
  });
});

describe('a message', () => {
  test('tells its whole story in order', async () => {
    const batch = await store({ lines: lines(3) });
    const chunk = batch.chunks[0]!;
    const retried = { errorCode: 'rate_limited', details: ['429'], dueInMs: 1_000, agoMs: 5_000 };
    await record({ batch: batch.id, chunk, state: stateNumber.retrying, offsets: [1], ...retried });
    await record({
      batch: batch.id,
      chunk,
      state: stateNumber.sent,
      offsets: [0, 1],
      attempt: 2,
      providerRefs: ['p-0', 'p-1'],
    });
    const { json } = await get(`/v1/messages/${messageIdAt(chunk.id, 1)}`);
    expect(json).toMatchObject({ to: phone(1), state: 'sent', attempts: 2, providerRef: 'p-1' });
    expect(json.error).toBeUndefined();
    expect(json.timeline).toEqual([
      { at: json.createdAt, state: 'queued' },
      {
        at: expect.any(String),
        state: 'retrying',
        attempt: 1,
        error: { code: 'rate_limited', detail: '429' },
        dueAt: expect.any(String),
      },
      { at: expect.any(String), state: 'sent', attempt: 2 },
    ]);
    const untouched = await get(`/v1/messages/${messageIdAt(chunk.id, 2)}`);
    expect(untouched.json).toMatchObject({ state: 'queued', attempts: 0 });
    expect(untouched.json.timeline).toHaveLength(1);
  });

  test('of another account is not found, like one that does not exist', async () => {
    const batch = await store({ lines: lines(2) });
    const id = batch.chunks[0]!.id;
    const theirs = { key: stranger.key };
    const paths = [
      `/v1/messages/${id}`,
      `/v1/batches/${batch.id}`,
      `/v1/batches/${batch.id}/messages`,
      `/v1/batches/${batch.id}/messages?state=queued`,
      `/v1/batches/${batch.id}/rejections`,
      `/v1/batches/${batch.id}/export`,
    ];
    for (const path of paths) {
      const headers = { authorization: `Bearer ${owner.key}` };
      expect((await api.app.inject({ url: path, headers })).statusCode, path).toBe(200);
      const answer = await get(path, theirs);
      expect(answer.status, path).toBe(404);
      const absent = await get(path.replace(/[0-9a-f]{8}-/, '00000000-'), theirs);
      expect(absent.status).toBe(404);
      expect(answer.json.detail).toBe(absent.json.detail);
    }
    expect((await get(`/v1/messages?to=${encodeURIComponent(phone(0))}`, theirs)).json.data).toEqual([]);
    expect((await get('/v1/batches', theirs)).json.data).toEqual([]);
  });

  test('is not found under an id that cannot be one, or an offset that its chunk does not have', async () => {
    const batch = await store({ lines: lines(2) });
    const id = batch.chunks[0]!.id;
    const strange = [
      'x',
      '%20',
      "'",
      id.toUpperCase(),
      `${id}0`,
      id.slice(1),
      id.replaceAll('-', ''),
      '00000000-0000-0000-0000-000000000000',
      messageIdAt(id, 2),
      messageIdAt(id, 1023),
      batch.id,
    ];
    for (const each of strange) expect((await get(`/v1/messages/${each}`)).status, each).toBe(404);
    for (const each of [...strange.slice(0, 9), id]) {
      expect((await get(`/v1/batches/${each}`)).status, each).toBe(404);
    }
  });
});

test('no input makes a read fail on the server', async () => {
  const batch = await store({ lines: lines(3) });
  const id = fc.oneof(
    fc.constantFrom(batch.id, batch.chunks[0]!.id, '..', 'ffffffff-ffff-7fff-bfff-ffffffffffff'),
    fc.string(),
  );
  const value = fc.oneof(
    id,
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('sent', '-1', '1e9', '9999-12-31T23:59:59Z'),
  );
  const name = fc.constantFrom(
    'to',
    'ref',
    'since',
    'until',
    'limit',
    'after',
    'state',
    'format',
    '__proto__',
  );
  const path = fc.oneof(
    fc.constantFrom('/v1/messages', '/v1/batches'),
    id.map((each) => `/v1/messages/${encodeURIComponent(each)}`),
    fc
      .tuple(id, fc.constantFrom('', '/messages', '/rejections', '/export'))
      .map(([each, rest]) => `/v1/batches/${encodeURIComponent(each)}${rest}`),
  );
  const query = fc.array(fc.tuple(name, value), { maxLength: 3 });
  const headers = { authorization: `Bearer ${owner.key}` };
  await fc.assert(
    fc.asyncProperty(path, query, async (at, pairs) => {
      const search = pairs.map(([key, text]) => `${key}=${encodeURIComponent(text)}`).join('&');
      const { statusCode } = await api.app.inject({ url: `${at}?${search}`, headers });
      expect(statusCode).toBeLessThan(500);
    }),
    { numRuns: 300 },
  );
});
