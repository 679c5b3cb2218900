import { beforeEach, expect, test } from 'vitest';
import { encodeChunk } from '../../src/message/chunk-codec.ts';
import { decisionNumber } from '../../src/message/decision-request.ts';
import { foldOutcomes } from '../../src/message/fold-outcomes.ts';
import { shardOf } from '../../src/message/id.ts';
import { stateNumber } from '../../src/message/state.ts';
import { cancelBatch } from '../../src/store/decisions/hold-batch.ts';
import { requestOfBatch, requestOfMessage } from '../../src/store/decisions/request-decision.ts';
import { deliveryStatements } from '../../src/store/delivery/delivery-statements.ts';
import { loadOutcomes } from '../../src/store/delivery/load-chunks.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createMill, insertBatch, insertChunk, type Mill, newId, until } from './mill.ts';

/** More than a worker reads at a time, and than it decides on at a time. */
const crowd = 1_100;
/** In memory, and not sent while the test lasts. */
const laterMs = 80_000;
const accountId = 1;

let mill: Mill;

beforeEach(async () => {
  mill = createMill((await createTestDatabase()).url);
  return () => mill.close();
});

function run(text: string, values: unknown[]): Promise<unknown> {
  return mill.database.query({ name: '', text }, values);
}

async function countOf(text: string, values: unknown[]): Promise<number> {
  const { rows } = await mill.database.query<{ count: number }>({ name: '', text }, values);
  return rows[0]!.count;
}

const openOf = (chunkId: string) =>
  countOf('SELECT count(*)::int AS count FROM inbox WHERE chunk_id = $1', [chunkId]);
const openOfBatch = (batch: string) =>
  countOf('SELECT count(*)::int AS count FROM inbox WHERE batch = $1', [batch]);
const doneOf = (batch: string) =>
  countOf('SELECT count(*)::int AS count FROM batch WHERE id = $1 AND done_at IS NOT NULL', [batch]);

/** A message of another account that waits for its time. */
function waitingMessage(): Promise<string> {
  return insertChunk(mill.database, { accountId: 2, dueInMs: laterMs });
}

function cancel(messageId: string): Promise<string> {
  return requestOfMessage(mill.database, {
    ...{ messageId, batch: null, count: 1, kind: 'cancel', filter: {} },
  });
}

async function isCanceled(messageId: string): Promise<boolean> {
  const rows = await loadOutcomes(mill.database, { ids: [messageId] });
  return foldOutcomes(1, rows).state[0] === stateNumber.canceled;
}

/** As many requests of one kind about one message, as servers before this release write them. */
function crowdWith(messageId: string, kind: number): Promise<unknown> {
  const text = `INSERT INTO inbox (shard, id, chunk_id, kind, offsets)
    SELECT $1, gen_random_uuid(), $2, $3, '\\x01' FROM generate_series(1, $4)`;
  return run(text, [shardOf(messageId), messageId, kind, crowd]);
}

/** A closed batch of chunks of one message, on its own shard. */
async function batchOf(chunks: number): Promise<{ batch: string; ids: string[] }> {
  const batch = await insertBatch(mill.database, { accepted: chunks });
  const ids = Array.from({ length: chunks }, () => newId(shardOf(batch)));
  const { codec, payload } = encodeChunk(Buffer.from('{"to":"+31612345678"}'));
  await run(
    `INSERT INTO chunk (shard, id, account_id, route_id, priority, count, codec, batch, payload)
      SELECT $1, id, 1, 1, 1, 1, $3, $4, $5 FROM unnest($2::uuid[]) AS id`,
    [shardOf(batch), ids, codec, batch, payload],
  );
  return { batch, ids };
}

async function failedBatchOf(chunks: number): Promise<string> {
  const { batch, ids } = await batchOf(chunks);
  await run(
    `INSERT INTO outcome (shard, chunk_id, seq, batch, state, attempt, count, at, account_id)
      SELECT $1, id, 1, $3, $4, 1, 1, now(), 1 FROM unnest($2::uuid[]) AS id`,
    [shardOf(batch), ids, batch, stateNumber.failed],
  );
  await run('INSERT INTO batch_progress (shard, batch, state, count) VALUES ($1, $2, $3, $4)', [
    ...[shardOf(batch), batch, stateNumber.failed, chunks],
  ]);
  return batch;
}

function replayFailed(batch: string): Promise<boolean> {
  const filter = { states: ['failed' as const] };
  return requestOfBatch(mill.database, { batch, accountId, kind: 'replay', states: ['failed'], filter });
}

/** Lets the first read of many chunks pass when `meanwhile` is done, and keeps the second back until it is let go. */
function holdSecond(meanwhile: () => Promise<unknown>) {
  let letGo = () => {};
  const gate = new Promise<void>((resolve) => (letGo = resolve));
  const held = { reads: 0, letGo };
  const pass = async ({ ids }: { ids: string[] }) => {
    if (ids.length === 1) return;
    held.reads++;
    if (held.reads === 1) await meanwhile();
    else await gate;
  };
  return { held, pass };
}

test('a crowd of cancellations of a message on its way hides no other', async () => {
  let answer: (() => void) | undefined;
  mill.respond = () => new Promise((resolve) => (answer = () => resolve({ kind: 'sent' })));
  const onItsWay = await insertChunk(mill.database);
  mill.worker().start();
  await until(() => answer !== undefined);
  await crowdWith(onItsWay, decisionNumber('cancel'));
  const other = await waitingMessage();
  await cancel(other);
  await until(() => isCanceled(other));
  expect(await openOf(onItsWay)).toBe(crowd);
  answer!();
  await until(async () => (await openOf(onItsWay)) === 0);
  expect(mill.errors).toEqual([]);
});

test('a message on its way is asked about once, however often it is canceled', async () => {
  let answer: (() => void) | undefined;
  mill.respond = () => new Promise((resolve) => (answer = () => resolve({ kind: 'sent' })));
  const onItsWay = await insertChunk(mill.database);
  mill.worker().start();
  await until(() => answer !== undefined);
  const ids = [await cancel(onItsWay), await cancel(onItsWay), await cancel(onItsWay)];
  expect(new Set(ids).size).toBe(1);
  expect(await openOf(onItsWay)).toBe(1);
  answer!();
  await until(async () => (await openOf(onItsWay)) === 0);
});

test('requests that only a newer release understands stay, and hide no other', async () => {
  const other = await waitingMessage();
  await crowdWith(other, 99);
  await cancel(other);
  mill.worker().start();
  await until(() => isCanceled(other));
  await until(async () => (await openOf(other)) === crowd);
});

test('a message is canceled while a big batch is being replayed', async () => {
  const batch = await failedBatchOf(crowd);
  const other = await waitingMessage();
  const { held, pass } = holdSecond(() => cancel(other));
  const store = deliveryStatements(mill.database);
  const loadChunkKeys: typeof store.loadChunkKeys = async (keys) => {
    await pass(keys);
    return store.loadChunkKeys(keys);
  };
  await replayFailed(batch);
  mill.worker({ store: { ...store, loadChunkKeys } }).start();
  await until(() => held.reads === 2);
  await until(() => isCanceled(other));
  expect(await openOfBatch(batch)).toBeGreaterThan(0);
  held.letGo();
  await until(async () => (await doneOf(batch)) === 1);
  expect(mill.received).toHaveLength(crowd);
});

test('a message is canceled while a big batch is being canceled', async () => {
  const { batch, ids } = await batchOf(crowd);
  await run(
    `INSERT INTO pending (shard, chunk_id, account_id, route_id, priority, count, batch, due_at)
      SELECT $1, id, 1, 1, 1, 1, $3, now() + $4 * interval '1 millisecond' FROM unnest($2::uuid[]) AS id`,
    [shardOf(batch), ids, batch, laterMs],
  );
  const other = await waitingMessage();
  const { held, pass } = holdSecond(() => cancel(other));
  const store = deliveryStatements(mill.database);
  const loadOutcomesHeld: typeof store.loadOutcomes = async (keys) => {
    await pass(keys);
    return store.loadOutcomes(keys);
  };
  const worker = mill.worker({ store: { ...store, loadOutcomes: loadOutcomesHeld } });
  worker.start();
  await until(() => worker.stats().lanes.reduce((sum, { chunks }) => sum + chunks, 0) === crowd + 1);
  await cancelBatch(mill.database, { batch, accountId });
  await until(() => held.reads === 2);
  await until(() => isCanceled(other));
  held.letGo();
  await until(async () => (await doneOf(batch)) === 1);
  expect(mill.received).toHaveLength(0);
});

test('what is asked about chunks that are gone is dropped, and the batch is done', async () => {
  const batch = await failedBatchOf(3);
  await replayFailed(batch);
  for (const table of ['chunk', 'outcome'])
    await run(`DELETE FROM ${table} WHERE shard = $1`, [shardOf(batch)]);
  expect(await openOfBatch(batch)).toBe(3);
  mill.worker().start();
  await until(async () => (await doneOf(batch)) === 1);
  expect(await openOfBatch(batch)).toBe(0);
  expect(mill.errors).toEqual([]);
});
