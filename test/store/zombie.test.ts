import { afterEach, beforeEach, expect, test } from 'vitest';
import { stateNumber } from '../../src/message/state.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { claimShards } from '../../src/store/delivery/claim-shards.ts';
import { loadOutcomes } from '../../src/store/delivery/load-chunks.ts';
import { readPendingAfter } from '../../src/store/delivery/read-pending.ts';
import { type OutcomeFlush, recordOutcomes } from '../../src/store/delivery/record-outcomes.ts';
import { insertBatch, insertChunk, newId, progressOf } from '../delivery/mill.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { type Actors, interleave } from './interleave.ts';

const shard = 9;
const messages = 4;
const firstKey = { chunkId: '00000000-0000-0000-0000-000000000000', shard: -1 };

let url: string;
let database: Database;

beforeEach(async () => {
  ({ url } = await createTestDatabase());
  database = openDatabase({ url, poolSize: 2, name: 'zombie test' });
});

afterEach(() => database.close());

/** A chunk of a shard whose owner has sent it and not recorded it yet, and what a taker finds of it. */
interface Ground {
  batch: string | null;
  chunkId: string;
  epoch: number;
  /** What the taker read: outcomes, and whether there was something to send. */
  read: { outcomes: number; pending: boolean } | undefined;
}

async function prepare(inBatch: boolean): Promise<Ground> {
  const { rows } = await database.query<{ epoch: string }>(
    {
      name: 'test_owned',
      text: `UPDATE shard_owner SET worker = $2, epoch = epoch + 1 WHERE shard = $1 RETURNING epoch`,
    },
    [shard, newId(1)],
  );
  const batch = inBatch ? await insertBatch(database, { accepted: messages }) : null;
  const chunkId = await insertChunk(database, { shard, count: messages, batch });
  return { batch, chunkId, epoch: Number(rows[0]!.epoch), read: undefined };
}

/** All of the chunk is sent, and with that it is done. */
function flushOf({ batch, chunkId }: Ground, epoch: number): OutcomeFlush {
  const row = { errorCode: null, details: null, providerRefs: null, agoMs: 0, dueInMs: null, offsets: null };
  const seq = String(BigInt(epoch) << 32n);
  return {
    ...{ shard, epoch, finished: [chunkId], waiting: [], renewed: [], answered: [] },
    outcomes: [
      { ...row, accountId: 1, chunkId, seq, batch, state: stateNumber.sent, attempt: 1, count: messages },
    ],
    progress: batch === null ? [] : [{ batch, state: stateNumber.sent, delta: messages }],
  };
}

/** Claims, reads what is left and what is known of it, sends that, and records it. */
async function takeOver(through: Database, ground: Ground): Promise<void> {
  const free = [{ shard, epoch: ground.epoch }];
  // A transaction of its own shows the moment between the statement and its commit.
  const [claimed] = await through.transaction((transaction) =>
    claimShards(transaction, { workerId: newId(2), free }),
  );
  expect(claimed).toEqual({ shard, epoch: ground.epoch + 1 });
  const pending = await readPendingAfter(through, { shards: [shard], after: firstKey, limit: 10 });
  const outcomes = await loadOutcomes(through, { ids: [ground.chunkId] });
  ground.read = { outcomes: outcomes.length, pending: pending.length > 0 };
  if (pending.length > 0) expect(await recordOutcomes(through, flushOf(ground, ground.epoch + 1))).toBe(true);
}

async function recordedBy({ chunkId }: Ground, epoch: number): Promise<number> {
  const { rows } = await database.query<{ rows: number }>(
    {
      name: 'test_recorded_by',
      text: 'SELECT count(*)::int AS rows FROM outcome WHERE chunk_id = $1 AND seq >> 32 = $2',
    },
    [chunkId, epoch],
  );
  return rows[0]!.rows;
}

function actorsOf(record: typeof recordOutcomes): (ground: Ground) => Actors {
  return (ground) => ({
    zombie: (through) => record(through, flushOf(ground, ground.epoch)),
    taker: (through) => takeOver(through, ground),
  });
}

interface Executions {
  count: number;
  /** Those in which the old owner's outcome stands. */
  zombieFirst: number;
  /** The first order, if any, that ended with an outcome of the old owner that the taker had not read. */
  wrong: string | undefined;
}

async function runAll(inBatch: boolean, record = recordOutcomes): Promise<Executions> {
  let zombieFirst = 0;
  let wrong: string | undefined;
  const count = await interleave({
    url,
    prepare: () => prepare(inBatch),
    actors: actorsOf(record),
    async check(ground, statements) {
      const order = statements.join(', ');
      const old = await recordedBy(ground, ground.epoch);
      const recorded = old + (await recordedBy(ground, ground.epoch + 1));
      if (old !== ground.read!.outcomes || recorded !== 1) {
        wrong = order;
        return false;
      }
      if (old > 0) zombieFirst++;
      expect(ground.read!.pending, order).toBe(old === 0);
      if (ground.batch !== null) {
        expect(await progressOf(database, ground.batch), order).toEqual({ 100: messages, 3: messages });
      }
      return true;
    },
  });
  return { count, zombieFirst, wrong };
}

test.each([
  ['in a batch', true, 12],
  ['without a batch', false, 5],
])(
  'in whatever order the statements meet, no outcome of an old owner comes after its taker has read (%s)',
  async (_, inBatch, executionsMin) => {
    const { count, zombieFirst, wrong } = await runAll(inBatch);
    expect(wrong).toBeUndefined();
    expect(count).toBeGreaterThanOrEqual(executionsMin);
    expect(zombieFirst).toBeGreaterThan(0);
    expect(zombieFirst).toBeLessThan(count);
  },
);

test('a fence that locks nothing is found out by these orders', async () => {
  const { wrong } = await runAll(true, (through, flush) => recordOutcomes(withoutLock(through), flush));
  expect(wrong).toContain('taker: read_pending_after');
});

function withoutLock(through: Database): Database {
  return {
    ...through,
    transactionOf: (calls) =>
      through.transactionOf(
        calls.map(({ statement: { name, text }, values }) => ({
          statement: text.includes('FOR SHARE')
            ? { name: `plain_${name}`, text: text.replace('FOR SHARE', '') }
            : { name, text },
          values,
        })),
      ),
  };
}
