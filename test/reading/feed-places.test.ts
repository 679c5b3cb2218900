import { afterEach, beforeEach, expect, test } from 'vitest';
import { feedSource } from '../../src/api/reading/feed-source.ts';
import { type Database, openDatabase, type Queryable } from '../../src/store/database.ts';
import { pauseBatch } from '../../src/store/decisions/hold-batch.ts';
import { countsApart } from '../../src/store/reading/feed-numbers.ts';
import { compareFeedPlaces, type FeedPlace, placeAt } from '../../src/store/reading/feed-place.ts';
import { type FeedPage, type FeedRow, feedHorizon, readEvents } from '../../src/store/reading/read-events.ts';
import { settleFeed } from '../../src/store/reading/settle-feed.ts';
import { insertBatch, until } from '../delivery/mill.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { ahead, becomeRestored } from './feed-reader.ts';

let database: Database;

beforeEach(async () => {
  database = openDatabase({ url: (await createTestDatabase()).url, poolSize: 4, name: 'feed places test' });
});

afterEach(() => database.close());

async function numberOf(text: string): Promise<bigint> {
  return BigInt((await database.query<{ number: string }>({ name: '', text })).rows[0]!.number);
}

const settledNumber = () => numberOf('SELECT max(settled)::text AS number FROM feed_epoch');

async function pause(): Promise<void> {
  await pauseBatch(database, { batch: await insertBatch(database, { accepted: 1 }), accountId: 1 });
}

/** The first page that holds something: others' transactions on the shared server hold the feed back. */
async function firstPage(from: Queryable, place: bigint): Promise<FeedPage> {
  let after = placeAt(place, null);
  let page: FeedPage | undefined;
  await until(async () => {
    page = await readEvents(from, { accountIds: [1], after, rowsMax: 10 });
    after = page.next;
    return page.rows.length > 0;
  });
  return page!;
}

test('where transactions are counted anew the windows of a reader are small again', async () => {
  await becomeRestored(database);
  expect(await settleFeed(database)).toMatchObject({ isShifted: true });
  await pause();
  const windows: { begin: bigint; end: bigint }[] = [];
  const watched: Queryable = {
    query(statement, values = []) {
      if (statement.name === 'feed_rows') {
        windows.push({ begin: BigInt(values[1] as string), end: BigInt(values[2] as string) });
      }
      return database.query(statement, values);
    },
  };
  const { rows } = await firstPage(watched, BigInt(ahead));
  expect(rows).toHaveLength(1);
  expect(windows.filter(({ begin, end }) => begin < countsApart && end > countsApart)).toEqual([]);
  const first = windows.find(({ begin, end }) => begin === countsApart && end > begin)!;
  expect(first.end - first.begin).toBeLessThanOrEqual(2_000n);
  // It begins with the transactions that were under way, not with all that the cluster had ever counted.
  expect(rows[0]!.writtenBy - countsApart).toBeLessThan(
    await numberOf('SELECT pg_current_xact_id()::text AS number'),
  );
});

test('no place is given behind numbers that a crash may give again', async () => {
  await settleFeed(database);
  const settled = await settledNumber();
  const rolledBack = await numberOf('SELECT pg_current_xact_id()::text AS number');
  await until(async () => (await feedHorizon(database)).writtenBy > rolledBack);
  const nothing = await readEvents(database, { accountIds: [1], after: placeAt(0n, null), rowsMax: 10 });
  expect([nothing.rows.length, nothing.next.writtenBy]).toEqual([0, settled]);
  expect(await readEvents(database, { accountIds: [1], after: nothing.next, rowsMax: 10 })).toEqual(nothing);

  await pause();
  const { rows, next } = await firstPage(database, settled);
  expect(next).toEqual(placeAt(rows[0]!.writtenBy + 1n, null));
  const behind = await readEvents(database, { accountIds: [1], after: next, rowsMax: 10 });
  expect(behind).toEqual({ rows: [], next });
  await until(async () => {
    await settleFeed(database);
    const last = await readEvents(database, { accountIds: [1], after: next, rowsMax: 10 });
    return last.next.writtenBy > next.writtenBy;
  });
});

test('a page ends at the place until which it is read, amid what a transaction wrote or between two', async () => {
  const batches: string[] = [];
  for (let n = 0; n < 3; n++) batches.push(await insertBatch(database, { accepted: 1 }));
  const together = `INSERT INTO batch_event (shard, batch, account_id, state) SELECT 0, batch, 1, 2
    FROM unnest($1::uuid[]) AS batch`;
  await database.query({ name: '', text: together }, [batches]);
  await pause();
  const { written } = (
    await database.query<{ written: string }>({
      name: '',
      text: 'SELECT min(written_by)::text AS written FROM batch_event',
    })
  ).rows[0]!;
  const after = placeAt(BigInt(written), null);
  const readTo = (rowsMax: number, until?: FeedPlace) =>
    readEvents(database, { accountIds: [1], after, rowsMax, until });
  await until(async () => (await readTo(10)).rows.length === 4);
  const { rows } = await readTo(10);
  // In the middle of what a transaction wrote.
  const half = await readTo(2);
  expect(await readTo(10, half.next)).toEqual({ rows: rows.slice(0, 2), next: half.next });
  // Between two transactions.
  const between = placeAt(rows[3]!.writtenBy, null);
  expect((await readTo(10, between)).rows).toEqual(rows.slice(0, 3));
});

test.each([
  ['between two transactions', (row: FeedRow) => placeAt(row.writtenBy + 1n, null)],
  ['amid what a transaction wrote', (row: FeedRow) => ({ ...row, epoch: null, offset: Infinity })],
])(
  'what is read to be written down comes as far as its end %s, although nothing is settled there',
  async (_, placeOf) => {
    await settleFeed(database);
    await pause();
    const { rows } = await firstPage(database, await settledNumber());
    const until = placeOf(rows[0]!);
    expect(until.writtenBy).toBeGreaterThanOrEqual(await settledNumber());
    const after = placeAt(0n, null);
    // Of an account that has nothing there, and of none.
    for (const accountIds of [[2], []]) {
      const { next } = await readEvents(database, {
        accountIds,
        after,
        rowsMax: 10,
        until,
        isWrittenDown: true,
      });
      expect(compareFeedPlaces(next, until)).toBeGreaterThanOrEqual(0);
    }
  },
);

test('a place that the primary has not come as far as either is no place to wait at on a replica', async () => {
  const chosen: Queryable = { query: database.query };
  const sources = { chosen, primary: database, settle: async () => void (await settleFeed(database)) };
  const { database: from, after } = await feedSource(placeAt(BigInt(ahead), null), sources);
  expect(from).toBe(database);
  expect(after).toEqual(placeAt(0n, null));
});
