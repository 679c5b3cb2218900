import { afterEach, beforeEach, expect, test } from 'vitest';
import { feedPage } from '../../src/api/reading/feed-page.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { type BatchKey, cancelBatch, pauseBatch, resumeBatch } from '../../src/store/decisions/hold-batch.ts';
import { reopenBatch } from '../../src/store/decisions/reopen-batch.ts';
import { resettleBatch } from '../../src/store/decisions/request-decision.ts';
import { finishBatch, readFinishedBatch } from '../../src/store/delivery/finish-batches.ts';
import { feedHorizon, feedStart } from '../../src/store/reading/read-events.ts';
import { insertBatch, until } from '../delivery/mill.ts';
import { createTestDatabase } from '../support/postgres.ts';

let database: Database;

beforeEach(async () => {
  database = openDatabase({ url: (await createTestDatabase()).url, poolSize: 4, name: 'batch events test' });
});

afterEach(() => database.close());

/** A batch that is closed, and all of whose messages are final. */
async function newBatch(): Promise<BatchKey> {
  return { batch: await insertBatch(database, { accepted: 0 }), accountId: 1 };
}

/** The same before it is closed. */
async function openBatch(): Promise<BatchKey> {
  const key = await newBatch();
  const text = 'UPDATE batch SET closed_at = NULL WHERE id = $1';
  await database.query({ name: '', text }, [key.batch]);
  return key;
}

/** As the owner of its shard does once all its messages are in a final state. */
async function finish({ batch }: BatchKey): Promise<void> {
  const finished = await readFinishedBatch(database, batch);
  if (finished) await finishBatch(database, finished);
}

/** The states that the change feed tells of it, oldest first. */
async function statesTold({ batch }: BatchKey): Promise<string[]> {
  const { rows } = await database.query<{ now: string }>({
    name: 'test_now',
    text: 'SELECT pg_current_xact_id()::text AS now',
  });
  // The server is shared, and others' transactions hold the feed back.
  await until(async () => (await feedHorizon(database)).writtenBy > BigInt(rows[0]!.now));
  const { events } = await feedPage(database, { accountId: 1, after: feedStart, limit: 1_000 });
  return events.filter(({ batchId }) => batchId === batch).map(({ state }) => state);
}

test('a canceled batch is told as canceled once, and as nothing else when all its messages are final', async () => {
  const key = await newBatch();
  await cancelBatch(database, key);
  await finish(key);
  await resettleBatch(database, key);
  await finish(key);
  expect(await statesTold(key)).toEqual(['canceled']);
});

test('a batch that settling or a replay opens again is told as delivering, and as done once more', async () => {
  for (const reopen of [resettleBatch, reopenBatch]) {
    const key = await newBatch();
    await reopen(database, key);
    await finish(key);
    await reopen(database, key);
    await reopen(database, key);
    await finish(key);
    expect(await statesTold(key), reopen.name).toEqual(['done', 'delivering', 'done']);
  }
});

test('a canceled batch that is replayed is told as delivering', async () => {
  const key = await newBatch();
  await cancelBatch(database, key);
  expect(await reopenBatch(database, key)).toBe(false);
  await finish(key);
  expect(await reopenBatch(database, key)).toBe(true);
  await finish(key);
  expect(await statesTold(key)).toEqual(['canceled', 'delivering', 'done']);
});

test('a batch that was paused when its last message became final stays done when it is resumed', async () => {
  const key = await newBatch();
  await pauseBatch(database, key);
  await finish(key);
  await reopenBatch(database, key);
  await finish(key);
  expect(await resumeBatch(database, key)).toBe(true);
  expect(await statesTold(key)).toEqual(['paused', 'done', 'paused', 'done']);
});

test('a batch that is resumed before it is closed is told as open', async () => {
  const key = await openBatch();
  await pauseBatch(database, key);
  await resumeBatch(database, key);
  expect(await statesTold(key)).toEqual(['paused', 'open']);
});

test('an open batch is told to the release before as delivering, which has no name for it', async () => {
  const key = await openBatch();
  await pauseBatch(database, key);
  await resumeBatch(database, key);
  const text = 'SELECT state FROM batch_event WHERE batch = $1 ORDER BY written_by';
  expect((await database.query({ name: '', text }, [key.batch])).rows).toEqual([{ state: 2 }, { state: 1 }]);
});
