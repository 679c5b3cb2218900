import { afterEach, beforeEach, expect, test } from 'vitest';
import { bitmapOf } from '../../src/message/bitmap.ts';
import { stateNumber } from '../../src/message/state.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { claimShards } from '../../src/store/delivery/claim-shards.ts';
import { loadOutcomes } from '../../src/store/delivery/load-chunks.ts';
import { type OutcomeFlush, recordOutcomes } from '../../src/store/delivery/record-outcomes.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { insertBatch, insertChunk, newId, pendingCount, progressOf } from './mill.ts';

const shard = 9;
const worker = '7d1f6f5e-1111-4222-8333-444455556666';

let database: Database;

beforeEach(async () => {
  database = openDatabase({ url: (await createTestDatabase()).url, poolSize: 4, name: 'record test' });
  await claimShards(database, { workerId: worker, free: [{ shard, epoch: 0 }] });
});

afterEach(async () => {
  await database.close();
});

async function flushOfChunk(): Promise<OutcomeFlush & { batch: string; chunkId: string }> {
  const batch = await insertBatch(database, { accepted: 10 });
  const chunkId = await insertChunk(database, { shard, batch, count: 10 });
  const row = {
    accountId: 1,
    chunkId,
    batch,
    agoMs: 5,
    errorCode: null,
    details: null,
    providerRefs: null,
    dueInMs: null,
  };
  return {
    batch,
    chunkId,
    shard,
    epoch: 1,
    outcomes: [
      {
        ...row,
        seq: '4294967296',
        state: stateNumber.sent,
        attempt: 1,
        count: 4,
        offsets: bitmapOf(10, [0, 1, 2, 9]),
        providerRefs: ['a', null, 'c"\\', '{}'],
      },
      {
        ...row,
        seq: '4294967297',
        state: stateNumber.retrying,
        attempt: 1,
        count: 6,
        offsets: bitmapOf(10, [3, 4, 5, 6, 7, 8]),
        errorCode: 'rate_limited',
        details: ['slow down'],
        dueInMs: 2_000,
      },
    ],
    progress: [
      { batch, state: stateNumber.retrying, delta: 6 },
      { batch, state: stateNumber.sent, delta: 4 },
    ],
    finished: [],
    waiting: [{ chunkId, remaining: bitmapOf(10, [3, 4, 5, 6, 7, 8]), dueInMs: 2_000, putOffBy: null }],
    renewed: [],
    answered: [],
  };
}

test('a flush that is repeated after an ambiguous COMMIT counts once', async () => {
  const flush = await flushOfChunk();
  for (let time = 0; time < 3; time++) expect(await recordOutcomes(database, flush)).toBe(true);
  expect(await progressOf(database, flush.batch)).toEqual({ 100: 10, 2: 6, 3: 4 });
  const rows = await loadOutcomes(database, { ids: [flush.chunkId] });
  expect(rows.map(({ state, attempt, errorCode }) => ({ state, attempt, errorCode }))).toEqual([
    { state: 3, attempt: 1, errorCode: null },
    { state: 2, attempt: 1, errorCode: 'rate_limited' },
  ]);
  expect(await pendingCount(database)).toBe(1);
});

test('a fenced worker cannot record outcomes, nor touch what is pending', async () => {
  const flush = await flushOfChunk();
  await claimShards(database, { workerId: newId(1), free: [{ shard, epoch: 1 }] });
  expect(await recordOutcomes(database, { ...flush, finished: [flush.chunkId], waiting: [] })).toBe(false);
  expect(await progressOf(database, flush.batch)).toEqual({ 100: 10 });
  expect(await loadOutcomes(database, { ids: [flush.chunkId] })).toEqual([]);
  expect(await pendingCount(database)).toBe(1);
});

test('messages without a batch are recorded behind the same fence, and once', async () => {
  const chunkIds = [await insertChunk(database, { shard }), await insertChunk(database, { shard })];
  const row = { batch: null, agoMs: 3, errorCode: null, details: null, providerRefs: ['x'], dueInMs: null };
  const flush: OutcomeFlush = {
    shard,
    epoch: 1,
    outcomes: chunkIds.map((chunkId, n) => ({
      ...row,
      accountId: 1,
      chunkId,
      seq: `${4_294_967_296 + n}`,
      state: stateNumber.sent,
      attempt: 1,
      count: 1,
      offsets: null,
    })),
    progress: [],
    finished: chunkIds,
    waiting: [],
    renewed: [],
    answered: [],
  };
  expect(await recordOutcomes(database, { ...flush, epoch: 2 })).toBe(false);
  expect(await loadOutcomes(database, { ids: chunkIds })).toEqual([]);
  expect(await pendingCount(database)).toBe(2);
  for (let time = 0; time < 2; time++) expect(await recordOutcomes(database, flush)).toBe(true);
  expect(await loadOutcomes(database, { ids: chunkIds })).toHaveLength(2);
  expect(await pendingCount(database)).toBe(0);
});

test('a claim waits for the transaction that is recording, and so reads what it wrote', async () => {
  const flush = await flushOfChunk();
  let claimed = false;
  let claim: Promise<unknown> | undefined;
  await database.transaction(async (transaction) => {
    await transaction.query(
      { name: '', text: 'SELECT 1 FROM shard_owner WHERE shard = $1 AND epoch = 1 FOR SHARE' },
      [shard],
    );
    claim = claimShards(database, { workerId: newId(1), free: [{ shard, epoch: 1 }] }).then(() => {
      claimed = true;
    });
    for (let waiting = 0; waiting === 0; ) {
      // In a transaction pg_stat_activity stands still.
      const { rows } = await database.query<{ waiting: number }>({
        name: '',
        text: `SELECT count(*)::int AS waiting FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      });
      waiting = rows[0]!.waiting;
    }
    expect(claimed).toBe(false);
  });
  await claim;
  expect(claimed).toBe(true);
  expect(await recordOutcomes(database, flush)).toBe(false);
});

test('many rows go in one transaction, however many there are', async () => {
  const batch = await insertBatch(database, { accepted: 1_000 });
  const chunkIds: string[] = [];
  for (let n = 0; n < 77; n++) chunkIds.push(await insertChunk(database, { shard, batch, count: 2 }));
  const base = { batch, agoMs: 0, errorCode: null, details: null, providerRefs: null, dueInMs: null };
  const flush: OutcomeFlush = {
    shard,
    epoch: 1,
    outcomes: chunkIds.map((chunkId, n) => ({
      ...base,
      accountId: 1,
      chunkId,
      seq: `${4_294_967_296 + n}`,
      state: stateNumber.sent,
      attempt: 1,
      count: 2,
      offsets: null,
    })),
    progress: [{ batch, state: stateNumber.sent, delta: 154 }],
    finished: chunkIds.slice(0, 50),
    waiting: chunkIds.slice(50).map((chunkId) => {
      return { chunkId, remaining: bitmapOf(2, [1]), dueInMs: 60_000, putOffBy: null };
    }),
    renewed: [],
    answered: [],
  };
  expect(await recordOutcomes(database, flush)).toBe(true);
  expect(await recordOutcomes(database, flush)).toBe(true);
  expect(await progressOf(database, batch)).toEqual({ 100: 1_000, 3: 154 });
  expect(await pendingCount(database)).toBe(27);
  expect(await loadOutcomes(database, { ids: chunkIds })).toHaveLength(77);
});
