import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { BatchFinisher } from '../../src/delivery/outcomes/batch-finisher.ts';
import { lowestIdAt } from '../../src/message/id.ts';
import { limits } from '../../src/message/limits.ts';
import { stateNumber } from '../../src/message/state.ts';
import { type Database, openDatabase, type Queryable } from '../../src/store/database.ts';
import {
  finishBatch,
  listClosedBatches,
  readFinishedBatch,
} from '../../src/store/delivery/finish-batches.ts';
import { createIdMint, type IdMint } from '../../src/store/id-mint.ts';
import { closeBatch } from '../../src/store/intake/close-batch.ts';
import { createBatch } from '../../src/store/intake/create-batch.ts';
import { acceptedCounter } from '../../src/store/intake/store-slots.ts';
import { partitionRange } from '../../src/store/partitions.ts';
import { listUndoneChunks } from '../../src/store/reading/list-undone-chunks.ts';
import { createTestDatabase } from '../support/postgres.ts';

const allShards = Array.from({ length: limits.shards }, (_, shard) => shard);

let database: Database;
let mint: IdMint;
beforeAll(async () => {
  const { url } = await createTestDatabase();
  database = openDatabase({ url, poolSize: 2, name: 'cost test' });
  const range = await partitionRange(database);
  mint = createIdMint({ nowMs: Date.now, range: () => range });
});
beforeEach(async () => {
  for (const table of ['pending', 'batch', 'batch_progress']) await run(database, `TRUNCATE ${table}`);
});
afterAll(() => database.close());

function run(on: Queryable, text: string, values: unknown[] = []) {
  return on.query<{ count: string }>({ name: '', text }, values);
}

/** Rows of a table that some work fetched. The counters are those of the connection since it last reported them. */
async function rowsRead(table: string, work: (transaction: Queryable) => Promise<unknown>): Promise<number> {
  return await database.transaction(async (transaction) => {
    const text = `SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) AS count
      FROM pg_stat_xact_user_tables WHERE relname = $1 OR relname LIKE $1 || '_p%'`;
    const fetched = async () => Number((await run(transaction, text, [table])).rows[0]!.count);
    const before = await fetched();
    await work(transaction);
    return (await fetched()) - before;
  });
}

async function newBatch(startOn: 'now' | 'close'): Promise<string> {
  const id = mint.mint(7);
  await createBatch(database, { id, accountId: 1, routeId: 1, priority: 1, startOn, defaults: {} });
  return id;
}

/** A batch with one message on each of `shards` shards, of which `final` are sent. */
async function closedBatch({ shards, final }: { shards: number; final: number }): Promise<string> {
  const id = await newBatch('now');
  await run(database, 'UPDATE batch SET closed_at = now() WHERE id = $1', [id]);
  for (const [state, count] of [
    [acceptedCounter, shards],
    [stateNumber.sent, final],
  ]) {
    const text = `INSERT INTO batch_progress (shard, batch, state, count)
      SELECT shard, $1, $2, 1 FROM generate_series(0, $3::integer - 1) AS shard`;
    await run(database, text, [id, state, count]);
  }
  return id;
}

test('looking for finished batches costs little, however many are under way on however many shards', async () => {
  const [batches, shards] = [80, 200];
  for (let index = 0; index < batches; index++) await closedBatch({ shards, final: 10 });
  const finished = await closedBatch({ shards, final: shards });
  await run(database, 'ANALYZE batch, batch_progress');
  let done = 0;
  const read = await rowsRead('batch_progress', async (transaction) => {
    const finisher = new BatchFinisher({
      listClosedBatches: (page) => listClosedBatches(transaction, page),
      readFinishedBatch: (id) => readFinishedBatch(transaction, id),
      finishBatch: (batch) => finishBatch(transaction, batch),
    });
    done = await finisher.runOnce(allShards);
  });
  expect(done).toBe(1);
  const counts = await run(database, `SELECT counts->>'sent' AS count FROM batch WHERE id = $1`, [finished]);
  expect(counts.rows).toEqual([{ count: String(shards) }]);
  // Each batch under way: the shards that are through, and one that is not. All their counters are 17,000.
  expect(read).toBeLessThan(batches * 50);
});

test('every batch has its turn, and one that was named has it first', async () => {
  const ids: string[] = [];
  for (let index = 0; index < 250; index++) ids.push(await closedBatch({ shards: 1, final: 0 }));
  const looks: string[] = [];
  const finisher = new BatchFinisher({
    listClosedBatches: (page) => listClosedBatches(database, page),
    readFinishedBatch: async (id) => void looks.push(id),
    finishBatch: async () => {},
  });
  const last = ids.at(-1)!;
  finisher.name(last);
  for (let turn = 0; turn < 3; turn++) await finisher.runOnce(allShards);
  expect(looks[0]).toBe(last);
  expect(new Set(looks)).toEqual(new Set(ids));
  expect(looks.length).toBeLessThanOrEqual(300);
});

test('releasing a batch, and listing what is left of it, read nothing of the backlog of others', async () => {
  const batch = await newBatch('close');
  const pending = `INSERT INTO pending (chunk_id, shard, account_id, route_id, priority, batch, count, due_at)`;
  const mine = Array.from({ length: 1_100 }, () => mint.mint(7)).sort();
  const chunk = `INSERT INTO chunk (shard, id, account_id, batch, route_id, priority, count, codec, payload)`;
  await run(database, `${chunk} SELECT 7, id, 1, $1, 1, 1, 1, 0, '' FROM unnest($2::uuid[]) AS id`, [
    batch,
    mine,
  ]);
  await run(database, `${pending} SELECT id, 7, 1, 1, 1, $1, 1, 'infinity' FROM unnest($2::uuid[]) AS id`, [
    batch,
    mine,
  ]);
  const others = 30_000;
  const from = lowestIdAt(Date.now() + 1_000).slice(0, 24);
  await run(
    database,
    `${pending} SELECT ($1 || lpad(to_hex(n), 12, '0'))::uuid, 7, 2, 1, 1, NULL, 1, now()
      FROM generate_series(1, $2::integer) AS n`,
    [from, others],
  );
  await run(database, 'ANALYZE pending, chunk');
  const released = await rowsRead('pending', (on) => closeBatch(on, { batch, accountId: 1 }));
  const due = `SELECT count(*) FROM pending WHERE batch = $1 AND due_at <= now()`;
  expect((await run(database, due, [batch])).rows).toEqual([{ count: String(mine.length) }]);
  expect(released).toBeLessThan(others / 10);

  await run(database, 'DELETE FROM pending WHERE chunk_id < $1', [mine[1_050]]);
  let undone: string[] = [];
  const listed = await rowsRead('pending', async (on) => {
    undone = (await listUndoneChunks(on, { batch, limit: 60 })).map(({ id }) => id);
  });
  expect(undone).toEqual(mine.slice(1_050));
  expect(listed).toBeLessThan(others / 10);
});
