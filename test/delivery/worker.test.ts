import { afterEach, beforeEach, expect, test } from 'vitest';
import { laneKeysMax } from '../../src/delivery/backlog/lane.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { encodeChunk } from '../../src/message/chunk-codec.ts';
import { messageIdAt } from '../../src/message/id.ts';
import { deliveryStatements } from '../../src/store/delivery/delivery-statements.ts';
import type { PendingRow } from '../../src/store/delivery/read-pending.ts';
import { createTestDatabase } from '../support/postgres.ts';
import {
  createMill,
  insertBatch,
  insertChunk,
  type Mill,
  newId,
  pendingCount,
  progressOf,
  testRoute,
  until,
} from './mill.ts';

let mill: Mill;

beforeEach(async () => {
  mill = createMill((await createTestDatabase()).url);
});

afterEach(async () => {
  await mill.close();
});

const refused = { kind: 'retry', error: { code: 'rate_limited', detail: 'slower' } } as const;
const unclear = { kind: 'uncertain', error: { code: 'provider_timeout', detail: 'no answer' } } as const;

function done(): Promise<void> {
  return until(async () => (await pendingCount(mill.database)) === 0);
}

function timesReceived(): Map<string, number> {
  const times = new Map<string, number>();
  for (const { id } of mill.received) times.set(id, (times.get(id) ?? 0) + 1);
  return times;
}

async function outcomesOf(chunkId: string): Promise<Record<string, unknown>[]> {
  const { rows } = await mill.database.query(
    {
      name: 'test_outcomes',
      text: 'SELECT state, attempt, count, error_code, details FROM outcome WHERE chunk_id = $1 ORDER BY seq',
    },
    [chunkId],
  );
  return rows;
}

test('a message that is refused or unclear is tried again until it is taken, and its chunk only once', async () => {
  const batch = await insertBatch(mill.database, { accepted: 50 });
  const chunkId = await insertChunk(mill.database, { batch, count: 50 });
  const bad = new Set([messageIdAt(chunkId, 3), messageIdAt(chunkId, 40)]);
  mill.respond = ({ id, attempt }) =>
    bad.has(id) && attempt < 4 ? (attempt % 2 ? refused : unclear) : { kind: 'sent' };
  mill.worker().start();
  await done();
  const times = timesReceived();
  expect([...times].filter(([id]) => !bad.has(id)).every(([, count]) => count === 1)).toBe(true);
  expect([...bad].map((id) => times.get(id))).toEqual([4, 4]);
  // Retries that ended before they were recorded leave no count of their own.
  expect({ 2: 0, ...(await progressOf(mill.database, batch)) }).toEqual({ 100: 50, 2: 0, 3: 50 });
  const attempts = mill.received.filter(({ id }) => bad.has(id)).map(({ attempt }) => attempt);
  expect(attempts.sort()).toEqual([1, 1, 2, 2, 3, 3, 4, 4]);
  expect(mill.received.every(({ id, key }) => id === key)).toBe(true);
});

test('after the last attempt a message has failed with its last error', async () => {
  mill.routes.set(1, { ...testRoute, retry: { ...testRoute.retry, attemptsMax: 3 } });
  const chunkId = await insertChunk(mill.database, { count: 2 });
  mill.respond = ({ attempt }) => (attempt < 3 ? refused : unclear);
  mill.worker().start();
  await done();
  expect(mill.received).toHaveLength(6);
  expect((await outcomesOf(chunkId)).at(-1)).toMatchObject({
    state: 5,
    attempt: 3,
    error_code: 'provider_timeout',
  });
});

test('Retry-After is kept, and a retry that lies far ahead leaves memory and is found again', async () => {
  await insertChunk(mill.database);
  const atMs: number[] = [];
  mill.respond = ({ attempt }) => {
    atMs.push(systemClock.monotonicMs());
    return attempt === 1 ? { ...refused, retryAfterMs: 700 } : { kind: 'sent' };
  };
  mill.worker().start();
  await done();
  expect(atMs[1]! - atMs[0]!).toBeGreaterThanOrEqual(700);
  const far = await insertChunk(mill.database);
  mill.respond = () => ({ ...refused, retryAfterMs: 3_600_000 });
  await until(async () => (await outcomesOf(far)).length === 1);
  const { rows } = await mill.database.query({
    name: 'test_due',
    text: `SELECT due_at > now() + interval '50 minutes' AS later, remaining FROM pending`,
  });
  expect(rows).toEqual([{ later: true, remaining: Buffer.from([1]) }]);
});

test('what expired before it could be sent is not sent', async () => {
  mill.routes.set(1, { ...testRoute, retry: { ...testRoute.retry, expireAfterMs: 60_000 } });
  const chunkId = await insertChunk(mill.database, { count: 3, unixMs: Date.now() - 120_000 });
  mill.worker().start();
  await done();
  expect(mill.received).toEqual([]);
  expect(await outcomesOf(chunkId)).toMatchObject([
    { state: 6, attempt: 0, count: 3, error_code: 'expired' },
  ]);
});

test('a stored line whose handling throws is kept as failed, and costs its neighbours nothing', async () => {
  const lines = ['{"to":"+31600000001"}', '{"to":"+3160', '{"to":"+31600000003"}'];
  const chunkId = await insertChunk(mill.database, { lines });
  const damaged = await insertChunk(mill.database, { count: 2 });
  await mill.database.query(
    { name: 'test_damage', text: `UPDATE chunk SET payload = '\\x00', codec = 2 WHERE id = $1` },
    [damaged],
  );
  mill.worker().start();
  await done();
  expect(mill.received.map(({ fields }) => fields.to).sort()).toEqual(['+31600000001', '+31600000003']);
  const failed = { state: 5, attempt: 0, error_code: 'internal_handling' };
  expect(await outcomesOf(chunkId)).toContainEqual(expect.objectContaining({ ...failed, count: 1 }));
  expect(await outcomesOf(damaged)).toMatchObject([{ ...failed, count: 2 }]);
  expect(mill.errors.length).toBeGreaterThan(0);
});

test('a commit that comes late, behind what was read, is found', async () => {
  mill.worker().start();
  const first = await insertChunk(mill.database);
  await until(() => mill.received.length === 1);
  const late = await insertChunk(mill.database, { unixMs: Date.now() - 12_000 });
  await done();
  expect(mill.received.map(({ id }) => id)).toEqual([first, late]);
});

test('a hint makes a chunk start without being read; a stale or repeated one delivers nothing twice', async () => {
  const statements = deliveryStatements(mill.database);
  const loads: string[] = [];
  let isHinted = false;
  // Between its commit and its hint, a chunk may be read: by a busy machine it often is.
  const onceHinted = async (reading: Promise<PendingRow[]>) =>
    (await reading).filter(({ shard }) => isHinted || shard !== 77);
  const worker = mill.worker({
    store: {
      ...statements,
      readRecentPending: (read) => onceHinted(statements.readRecentPending(read)),
      readPendingAfter: (read) => onceHinted(statements.readPendingAfter(read)),
      loadChunks(keys) {
        loads.push(...keys.ids);
        return statements.loadChunks(keys);
      },
    },
  });
  const beforeTenureMs = systemClock.monotonicMs();
  worker.start();
  await until(() => worker.stats().shards === 1_024);
  const line = '{"to":"+31612345678"}';
  const beganAtMs = systemClock.monotonicMs();
  const chunkId = await insertChunk(mill.database, { lines: [line], shard: 77, priority: 0 });
  const key = { shard: 77, accountId: 1, routeId: 1, priority: 0, batch: null, count: 1 };
  const hint = { ...key, chunkId, beganAtMs, ...encodeChunk(Buffer.from(line)) };
  worker.hint([hint, hint]);
  isHinted = true;
  await done();
  worker.hint([hint]);
  // Chunks that this worker cannot know: one of before it owned the shard, and one of long ago.
  worker.hint([{ ...hint, chunkId: newId(77), beganAtMs: beforeTenureMs }]);
  worker.hint([{ ...hint, chunkId: newId(77), beganAtMs: beganAtMs - 60_000 }]);
  await insertChunk(mill.database, { shard: 78 });
  await until(() => mill.received.length >= 2);
  await done();
  expect(mill.received.filter(({ id }) => id === chunkId)).toHaveLength(1);
  expect(mill.received).toHaveLength(2);
  expect(loads).not.toContain(chunkId);
});

test('a backlog larger than memory keeps of a lane hides no other lane, and is delivered whole', async () => {
  const stuck: (() => void)[] = [];
  // One of sixteen is kept for interactive messages.
  const bulkSlots = testRoute.concurrency - 1;
  mill.routes.set(2, { ...testRoute, id: 2 });
  mill.respond = ({ fields }) =>
    fields.body === 'flood' && stuck.length < bulkSlots
      ? new Promise((resolve) => stuck.push(() => resolve({ kind: 'sent' })))
      : { kind: 'sent' };
  const total = laneKeysMax + 1_500;
  await insertFlood(total);
  const worker = mill.worker();
  worker.start();
  await until(() => stuck.length === bulkSlots && worker.stats().lanes.some(({ overflown }) => overflown));
  const other = await insertChunk(mill.database, { accountId: 2, routeId: 2 });
  await until(() => mill.received.some(({ id }) => id === other));
  for (const free of stuck) free();
  await done();
  expect(new Set(mill.received.map(({ id }) => id)).size).toBe(total + 1);
  expect(mill.received).toHaveLength(total + 1);
});

/** So many chunks of one message. */
async function insertFlood(total: number): Promise<void> {
  const { codec, payload } = encodeChunk(Buffer.from('{"to":"+31612345678","body":"flood"}'));
  for (let from = 0; from < total; from += 1_000) {
    const ids = Array.from({ length: Math.min(1_000, total - from) }, (_, n) => newId((from + n) % 1_024));
    const shards = ids.map((_, n) => (from + n) % 1_024);
    await mill.database.query(
      {
        name: 'test_flood',
        text: `INSERT INTO chunk (shard, id, account_id, route_id, priority, count, codec, payload)
          SELECT shard, id, 1, 1, 1, 1, $3, $4 FROM unnest($1::smallint[], $2::uuid[]) AS flood (shard, id)`,
      },
      [shards, ids, codec, payload],
    );
    await mill.database.query(
      {
        name: 'test_flood_pending',
        text: `INSERT INTO pending (shard, chunk_id, account_id, route_id, priority, count, due_at)
          SELECT shard, id, 1, 1, 1, 1, now() FROM unnest($1::smallint[], $2::uuid[]) AS flood (shard, id)`,
      },
      [shards, ids],
    );
  }
}

test('a batch that waits for its closing begins when it is released', async () => {
  const unixMs = Date.now() - 3_600_000;
  const batch = await insertBatch(mill.database, { accepted: 2, unixMs });
  await insertChunk(mill.database, { batch, count: 2, unixMs });
  await mill.database.query({ name: 'test_hold', text: `UPDATE pending SET due_at = 'infinity'` });
  const worker = mill.worker();
  worker.start();
  await until(() => worker.stats().shards === 1_024);
  await insertChunk(mill.database);
  await until(() => mill.received.length === 1);
  await mill.database.query({ name: 'test_release', text: 'UPDATE pending SET due_at = now()' });
  await mill.database.query({ name: 'test_released', text: 'UPDATE batch SET released_at = now()' });
  // Not only when everything is read again.
  await until(() => mill.received.length === 3, 30_000);
  await done();
});

test('interactive messages pass a flood by, and a paused route keeps its messages', async () => {
  mill.routes.set(2, { ...testRoute, id: 2, paused: true });
  for (let n = 0; n < 5; n++) await insertChunk(mill.database, { count: 1_000 });
  await insertChunk(mill.database, { routeId: 2, count: 3 });
  let turn = 0;
  mill.respond = async () => {
    if (++turn % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    return { kind: 'sent' };
  };
  const worker = mill.worker();
  worker.start();
  await until(() => mill.received.length > 200);
  const beganAtMs = systemClock.monotonicMs();
  const line = '{"to":"+31699999999"}';
  const chunkId = await insertChunk(mill.database, { accountId: 2, priority: 0, lines: [line], shard: 4 });
  const key = { shard: 4, accountId: 2, routeId: 1, priority: 0, batch: null, count: 1 };
  worker.hint([{ ...key, chunkId, beganAtMs, ...encodeChunk(Buffer.from(line)) }]);
  await until(async () => (await pendingCount(mill.database)) === 1);
  expect(mill.received).toHaveLength(5_001);
  mill.routes.set(2, { ...testRoute, id: 2, version: 2 });
  mill.changeControl();
  await done();
  expect(mill.received).toHaveLength(5_004);
});
