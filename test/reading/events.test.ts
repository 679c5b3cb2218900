import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FeedEvent, feedPage } from '../../src/api/reading/feed-page.ts';
import { bitmapOf } from '../../src/message/bitmap.ts';
import { stateNumber } from '../../src/message/state.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { cancelBatch, pauseBatch, resumeBatch } from '../../src/store/decisions/hold-batch.ts';
import { feedCursor, parseFeedCursor } from '../../src/store/reading/feed-cursor.ts';
import { feedStart } from '../../src/store/reading/feed-place.ts';
import { feedHorizon } from '../../src/store/reading/read-events.ts';
import { insertBatch, insertChunk, until } from '../delivery/mill.ts';
import { createTestDatabase } from '../support/postgres.ts';

let database: Database;

beforeEach(async () => {
  database = openDatabase({ url: (await createTestDatabase()).url, poolSize: 12, name: 'events test' });
});

afterEach(() => database.close());

const count = 6;
let seq = 0;

/** One outcome row of some messages of a chunk, in the transaction of the caller. */
async function write(
  transaction: Pick<Database, 'query'>,
  row: { chunk: string; shard: number; offsets: number[] | null; accountId?: number },
): Promise<void> {
  const { chunk, shard, offsets, accountId = 1 } = row;
  await transaction.query(
    {
      name: 'test_outcome',
      text: `INSERT INTO outcome (seq, at, shard, state, attempt, count, chunk_id, offsets, account_id)
        VALUES ($1, now(), $2, $3, 1, $4, $5, $6, $7)`,
    },
    [
      ...[seq++, shard, stateNumber.sent, offsets?.length ?? count, chunk],
      ...[offsets && bitmapOf(count, offsets), accountId],
    ],
  );
}

/** Reads pages until nothing new comes, from a cursor as a user carries it. */
async function readOn(cursor: string, limit: number): Promise<{ events: FeedEvent[]; cursor: string }> {
  const events: FeedEvent[] = [];
  for (;;) {
    const page = await feedPage(database, { accountId: 1, after: parseFeedCursor(cursor)!, limit });
    events.push(...page.events);
    const next = feedCursor(page.next);
    if (next === cursor || page.events.length === 0) return { events, cursor: next };
    cursor = next;
  }
}

/** The place behind everything that is committed now: the server is shared, and others' transactions hold the feed back. */
async function placeOfNow(): Promise<bigint> {
  const { rows } = await database.query<{ now: string }>({
    name: 'test_now',
    text: 'SELECT pg_current_xact_id()::text AS now',
  });
  await until(async () => (await feedHorizon(database)).writtenBy > BigInt(rows[0]!.now));
  return (await feedHorizon(database)).writtenBy;
}

async function readAll(cursor: string, limit: number): Promise<FeedEvent[]> {
  await placeOfNow();
  return (await readOn(cursor, limit)).events;
}

test('transactions that end in any order are read once each, by pages of any size', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ endsAfter: fc.nat(5), commits: fc.boolean(), whole: fc.boolean() }), {
        minLength: 1,
        maxLength: 8,
      }),
      fc.integer({ min: 1, max: 9 }),
      async (plans, limit) => {
        const chunk = await insertChunk(database, { shard: 7, count });
        let { cursor } = await readOn(feedCursor(feedStart), 1_000);
        const open: { at: number; end: () => void; ended: Promise<void> }[] = [];
        const expected = new Map<string, number>();
        const seen: string[] = [];
        for (const [turn, { endsAfter, commits, whole }] of plans.entries()) {
          let end = () => {};
          const written = new Promise<void>((resolveWritten) => {
            const hold = new Promise<void>((resolve) => (end = resolve));
            const ended = database
              .transaction(async (transaction) => {
                await write(transaction, { chunk, shard: 7, offsets: whole ? null : [1, 4] });
                resolveWritten();
                await hold;
                if (!commits) throw new Error('rolled back');
              })
              .catch(() => undefined);
            open.push({ at: turn + endsAfter, end, ended: ended as Promise<void> });
          });
          await written;
          if (commits) {
            for (const offset of whole ? [0, 1, 2, 3, 4, 5] : [1, 4]) {
              const key = `${offset}`;
              expected.set(key, (expected.get(key) ?? 0) + 1);
            }
          }
          for (const each of open.filter(({ at }) => at === turn)) {
            each.end();
            await each.ended;
          }
          const page = await readOn(cursor, limit);
          cursor = page.cursor;
          seen.push(...page.events.map(({ id }) => id));
        }
        for (const each of open) {
          each.end();
          await each.ended;
        }
        seen.push(...(await readAll(cursor, limit)).map(({ id }) => id));
        expect(new Set(seen).size).toBe(seen.length);
        expect(seen).toHaveLength([...expected.values()].reduce((sum, n) => sum + n, 0));
      },
    ),
    { numRuns: 25 },
  );
});

test('an account reads its own changes only, in the order of commit, and from now on if it likes', async () => {
  const chunk = await insertChunk(database, { shard: 3, count });
  await write(database, { chunk, shard: 3, offsets: [0] });
  await write(database, { chunk, shard: 3, offsets: [5], accountId: 2 });
  const now = feedCursor({ ...feedStart, writtenBy: await placeOfNow() });
  await write(database, { chunk, shard: 3, offsets: [2] });
  const offsets = (events: FeedEvent[]) =>
    events.map(({ messageId }) => Number.parseInt(messageId!.slice(-1), 16) & 7);
  expect(offsets(await readAll(feedCursor(feedStart), 10))).toEqual([0, 2]);
  expect(offsets(await readAll(now, 10))).toEqual([2]);
});

test('pausing, resuming and canceling a batch are changes, each once', async () => {
  const batch = await insertBatch(database, { accepted: 1 });
  const key = { batch, accountId: 1 };
  await pauseBatch(database, key);
  await pauseBatch(database, key);
  await resumeBatch(database, key);
  await cancelBatch(database, key);
  const events = await readAll(feedCursor(feedStart), 10);
  expect(events.map(({ type, batchId, state }) => [type, batchId, state])).toEqual([
    ['batch', batch, 'paused'],
    ['batch', batch, 'delivering'],
    ['batch', batch, 'canceled'],
  ]);
});

test('a cursor survives being written down, and nothing else is taken for one', () => {
  fc.assert(
    fc.property(
      fc.nat(1_000_000),
      fc.nat(1_023),
      fc.uuid(),
      fc.nat(),
      fc.integer({ min: -1, max: 999 }),
      fc.constantFrom(null, '0123abcd'),
      (a, shard, id, c, offset, epoch) => {
        const place = { epoch, writtenBy: BigInt(a), shard, id, seq: BigInt(c), offset };
        expect(parseFeedCursor(feedCursor(place))).toEqual(place);
      },
    ),
  );
  for (const text of [
    '',
    'x',
    '-1',
    '1.2',
    '1.2.3.4.5',
    '0123abcd',
    ':1',
    '0123abc:1',
    `${'9'.repeat(30)}`,
  ]) {
    expect(parseFeedCursor(text)).toBeUndefined();
  }
});
