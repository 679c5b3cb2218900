import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadedBytesMax } from '../../src/delivery/chunks/chunk-loader.ts';
import { unrecordedMax } from '../../src/delivery/outcomes/outcome-buffer.ts';
import { deliveryStatements } from '../../src/store/delivery/delivery-statements.ts';
import type { OutcomeFlush } from '../../src/store/delivery/record-outcomes.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createMill, insertBatch, insertChunk, type Mill, pendingCount, progressOf, until } from './mill.ts';

const [flushesMax, wholeChunk] = [2, 1_000];
const long = 'x'.repeat(1_000);
/** More of them than shards are recorded at a time. */
const refusedShards = [3, 4, 5];

let mill: Mill;

beforeEach(async () => {
  mill = createMill((await createTestDatabase()).url, { batchMax: 100 });
});

afterEach(async () => {
  await mill.close();
});

async function refuse(): Promise<void> {
  const check = `ALTER TABLE outcome ADD CONSTRAINT refused CHECK (shard NOT IN (${refusedShards}))`;
  await mill.database.query({ name: '', text: check });
}

async function mend(): Promise<void> {
  await mill.database.query({ name: '', text: 'ALTER TABLE outcome DROP CONSTRAINT refused' });
}

/** Chunks of one shard and batch. */
async function insertChunks(shard: number, chunks: number): Promise<string> {
  const batch = await insertBatch(mill.database, { accepted: chunks * wholeChunk });
  for (let n = 0; n < chunks; n++) await insertChunk(mill.database, { shard, batch, count: wholeChunk });
  return batch;
}

function timesReceived(): { messages: number; different: number } {
  const ids = mill.received.map(({ id }) => id);
  return { messages: ids.length, different: new Set(ids).size };
}

test('shards whose outcomes the database refuses hold up no others, and go on when it is mended', async () => {
  await refuse();
  const refused = await Promise.all(refusedShards.map((shard) => insertChunks(shard, 1)));
  const worker = mill.worker({ flushesMax });
  worker.start();
  await until(() => mill.received.length === refusedShards.length * wholeChunk);
  const others = await insertChunks(9, 2);
  await until(async () => (await progressOf(mill.database, others))[3] === 2 * wholeChunk);
  await until(() => worker.heldShards().length === 1_024 - refusedShards.length);
  for (const shard of refusedShards) {
    expect(mill.errors.map((error) => (error as Error).message)).toContain(
      `the database refuses the outcomes of shard ${shard}: no more of it is sent until that is mended`,
    );
  }
  await mend();
  await until(() => worker.heldShards().length === 1_024);
  await until(async () => (await pendingCount(mill.database)) === 0);
  for (const batch of refused)
    expect(await progressOf(mill.database, batch)).toMatchObject({ 3: wholeChunk });
  expect(timesReceived()).toEqual({ messages: 5 * wholeChunk, different: 5 * wholeChunk });
});

test('a single shard whose outcomes the database refuses does not fill the room of all', async () => {
  await refuse();
  const accepted = unrecordedMax + 10 * wholeChunk;
  await insertChunks(refusedShards[0]!, accepted / wholeChunk);
  const others = await insertChunks(9, 1);
  const worker = mill.worker({ flushesMax });
  worker.start();
  await until(async () => (await progressOf(mill.database, others))[3] === wholeChunk);
  expect(worker.heldShards()).toHaveLength(1_023);
  expect(mill.received.length - wholeChunk).toBeLessThan(accepted);
});

test('chunks whose outcomes the database refuses take no room in memory from those of other shards', async () => {
  await refuse();
  const lines = Array.from({ length: wholeChunk }, () => JSON.stringify({ to: '+31612340000', body: long }));
  const chunks = Math.ceil(loadedBytesMax / (wholeChunk * long.length)) + 1;
  for (let n = 0; n < chunks; n++) await insertChunk(mill.database, { shard: refusedShards[0]!, lines });
  const statements = deliveryStatements(mill.database);
  let isCrowded = false;
  const store = {
    ...statements,
    async recordOutcomes(flush: OutcomeFlush) {
      await until(() => isCrowded);
      return await statements.recordOutcomes(flush);
    },
  };
  const worker = mill.worker({ flushesMax, store });
  worker.start();
  await until(() => worker.stats().loadedBytes >= loadedBytesMax);
  isCrowded = true;
  const others = await insertChunks(9, 1);
  await until(async () => (await progressOf(mill.database, others))[3] === wholeChunk);
  expect(worker.heldShards()).toHaveLength(1_023);
});

test('what could not be marked before it leaves does not leave, and other messages of its request do', async () => {
  await refuse();
  const route = mill.routes.get(1)!;
  mill.routes.set(1, { ...route, onUncertain: 'hold', concurrency: 1 });
  for (const shard of [3, 9]) await insertChunk(mill.database, { shard, count: 10 });
  const worker = mill.worker({ flushesMax });
  worker.start();
  await until(() => worker.heldShards().length === 1_023);
  await until(async () => (await pendingCount(mill.database)) === 1);
  expect(mill.received).toHaveLength(10);
  await mend();
  await until(async () => (await pendingCount(mill.database)) === 0);
  expect(timesReceived()).toEqual({ messages: 20, different: 20 });
});
