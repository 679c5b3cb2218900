import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { feedPage } from '../../src/api/reading/feed-page.ts';
import { batchState } from '../../src/api/routes/batch-fields.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { type BatchKey, cancelBatch, pauseBatch, resumeBatch } from '../../src/store/decisions/hold-batch.ts';
import { reopenBatch } from '../../src/store/decisions/reopen-batch.ts';
import { resettleBatch } from '../../src/store/decisions/request-decision.ts';
import { finishBatch, readFinishedBatch } from '../../src/store/delivery/finish-batches.ts';
import { closeBatch } from '../../src/store/intake/close-batch.ts';
import { feedStart } from '../../src/store/reading/feed-place.ts';
import { findBatch } from '../../src/store/reading/find-batch.ts';
import { feedHorizon } from '../../src/store/reading/read-events.ts';
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

test('closing a batch is told once, however many close it, and whether or not it was cut off', async () => {
  const key = await openBatch();
  const text = `UPDATE batch SET start_on = 'close' WHERE id = $1`;
  await database.query({ name: '', text }, [key.batch]);
  await Promise.all([1, 2, 3, 4].map(() => closeBatch(database, key)));
  await database.query({ name: '', text: 'UPDATE batch SET released_at = NULL WHERE id = $1' }, [key.batch]);
  expect(await closeBatch(database, key)).toEqual({ released: true });
  await finish(key);
  expect(await closeBatch(database, key)).toEqual({ released: false });
  expect(await statesTold(key)).toEqual(['delivering', 'done']);
});

test('closing a batch that is paused or canceled is not told, because that it still is', async () => {
  const key = await openBatch();
  await pauseBatch(database, key);
  await closeBatch(database, key);
  expect(await statesTold(key)).toEqual(['paused']);
  await resumeBatch(database, key);
  expect(await statesTold(key)).toEqual(['paused', 'delivering']);
  const canceled = await openBatch();
  await cancelBatch(database, canceled);
  await closeBatch(database, canceled);
  expect(await statesTold(canceled)).toEqual(['canceled']);
});

test('whatever is done to a batch, what was told last is the state that it shows, and no state is told twice in a row', async () => {
  const changes = { pauseBatch, resumeBatch, cancelBatch, closeBatch, reopenBatch, resettleBatch };
  const all = { ...changes, finish: (_: Database, key: BatchKey) => finish(key) };
  const names = Object.keys(all) as (keyof typeof all)[];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 12 }), async (steps) => {
      const key = await openBatch();
      const shown = ['open'];
      for (const step of steps) {
        await all[step](database, key);
        const state = batchState((await findBatch(database, { accountId: 1, id: key.batch }))!);
        if (state !== shown.at(-1)) shown.push(state);
      }
      expect(['open', ...(await statesTold(key))]).toEqual(shown);
    }),
    { numRuns: 50 },
  );
});
