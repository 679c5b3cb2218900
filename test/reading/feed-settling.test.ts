import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { cancelBatch, pauseBatch, resumeBatch } from '../../src/store/decisions/hold-batch.ts';
import { migrate } from '../../src/store/migrate.ts';
import { settleFeed } from '../../src/store/reading/settle-feed.ts';
import { insertBatch, until } from '../delivery/mill.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { becomeRestored, readOn } from './feed-reader.ts';

let url: string;
let database: Database;
let batch: string;
let key: { batch: string; accountId: number };

beforeEach(async () => {
  ({ url } = await createTestDatabase());
  database = openDatabase({ url, poolSize: 6, name: 'feed settling test' });
  batch = await insertBatch(database, { accepted: 1 });
  key = { batch, accountId: 1 };
});

afterEach(() => database.close());

async function execute<Row extends Record<string, unknown>>(text: string): Promise<Row[]> {
  return (await database.query<Row>({ name: '', text })).rows;
}

/** A change that another server commits, on a connection of its own. */
async function writeBeside(): Promise<void> {
  await execute(`INSERT INTO batch_event (account_id, shard, state, batch) VALUES (1, 7, 1, '${batch}')`);
}

/** The database with something that happens after each statement of a transaction that only reads. */
function interrupted(meanwhile: (text: string) => Promise<void>): Database {
  return {
    ...database,
    transaction: (work) =>
      database.transaction((transaction) =>
        work({
          async query(statement, values) {
            const answer = await transaction.query(statement, values);
            if (/^(SELECT|WITH)/.test(statement.text)) await meanwhile(statement.text);
            return answer as never;
          },
        }),
      ),
  };
}

/** What is added to the numbers that `outcome` and `batch_event` are written with, and what the feed's readers expect. */
async function shifts(): Promise<{ written: string[]; expected: string }> {
  const columns = await execute<{ shift: string }>(
    `SELECT coalesce(substring(column_default FROM '\\+ ''?(\\d+)'), '0') AS shift FROM information_schema.columns
      WHERE table_name IN ('outcome', 'batch_event') AND column_name = 'written_by'`,
  );
  const epochs = await execute<{ shift: string }>(
    'SELECT shift::text FROM feed_epoch ORDER BY number DESC LIMIT 1',
  );
  return { written: columns.map(({ shift }) => shift), expected: epochs[0]!.shift };
}

test('a failover that is seen while others write is no count that went back', async () => {
  await settleFeed(database);
  await execute('UPDATE feed_epoch SET timeline = timeline - 1');
  expect(await settleFeed(interrupted(writeBeside))).toMatchObject({ number: 2, isShifted: false });
  expect(await shifts()).toEqual({ written: ['0', '0'], expected: '0' });
});

test('the first start behind the migration, while servers of the release before write, begins no epoch', async () => {
  await execute('UPDATE feed_epoch SET cluster = NULL, timeline = NULL, settled = 0');
  expect(await settleFeed(interrupted(writeBeside))).toBeUndefined();
  expect(await shifts()).toEqual({ written: ['0', '0'], expected: '0' });
});

test('of two servers that see a failover at once one begins an epoch, and the feed goes on', async () => {
  await settleFeed(database);
  await execute('UPDATE feed_epoch SET timeline = timeline - 1');
  let second: ReturnType<typeof settleFeed> | undefined;
  const first = await settleFeed(
    interrupted(async (text) => {
      if (second || !text.includes('FROM feed_epoch')) return;
      second = settleFeed(database);
      await until(async () => (await waiting()) > 0);
      await writeBeside();
    }),
  );
  expect(first).toMatchObject({ number: 2, isShifted: false });
  expect(await second).toBeUndefined();
  expect(await shifts()).toEqual({ written: ['0', '0'], expected: '0' });
  await pauseBatch(database, key);
  expect((await readOn(database, '0', 'paused')).states).toEqual(['delivering', 'paused']);
});

async function waiting(): Promise<number> {
  const rows = await execute<{ count: number }>(
    `SELECT count(*)::integer AS count FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return rows[0]!.count;
}

test('what is written behind a restore before a server starts comes to readers of before', async () => {
  await pauseBatch(database, key);
  await settleFeed(database);
  await becomeRestored(database);
  await resumeBatch(database, key);
  await migrate({ connectionString: url });
  await cancelBatch(database, key);
  expect((await readOn(database, await settledAtFirst(), 'canceled')).states).toContain('delivering');
});

test('what is still being written behind a restore while the feed is settled comes to readers of before', async () => {
  await pauseBatch(database, key);
  await settleFeed(database);
  await becomeRestored(database);
  let commit = () => {};
  const held = new Promise<void>((resolve) => (commit = resolve));
  let written: Promise<void> | undefined;
  await new Promise<void>((resolve) => {
    written = database.transaction(async (transaction) => {
      const text = `INSERT INTO batch_event (account_id, shard, state, batch) VALUES (1, 7, 1, '${batch}')`;
      await transaction.query({ name: '', text });
      resolve();
      await held;
    });
  });
  const settling = settleFeed(database);
  await until(async () => (await waiting()) > 0);
  commit();
  await written;
  expect(await settling).toMatchObject({ isShifted: true });
  await cancelBatch(database, key);
  expect((await readOn(database, await settledAtFirst(), 'canceled')).states).toContain('delivering');
});

/** Where readers were when the database was the one before. */
async function settledAtFirst(): Promise<string> {
  const rows = await execute<{ place: string }>(
    'SELECT settled::text AS place FROM feed_epoch WHERE number = 1',
  );
  return rows[0]!.place;
}

test('readers of before a restore that nobody wrote behind go back to what was settled', async () => {
  await pauseBatch(database, key);
  await settleFeed(database);
  await becomeRestored(database);
  // The dump has a change under a number that this cluster has given since to something else.
  await execute(`INSERT INTO batch_event (written_by, account_id, shard, state, batch)
    SELECT xmin::text::bigint, 1, 7, 1, '${batch}' FROM feed_epoch`);
  // And among others that came with it one under that of the very transaction that brought them.
  await execute(`INSERT INTO batch_event (written_by, account_id, shard, state, batch)
    SELECT pg_current_xact_id()::text::bigint - n, 1, 7, 1, '${batch}' FROM generate_series(0, 100) AS n`);
  const settled = BigInt(await settledAtFirst());
  expect(await settleFeed(database)).toMatchObject({ begins: settled, isShifted: true });
});

test('data that is restored into another schema, whose numbers are not those of the feed, is read on', async () => {
  await settleFeed(database);
  await becomeRestored(database);
  expect(await settleFeed(database)).toMatchObject({ isShifted: true });
  for (const table of ['outcome', 'batch_event']) {
    await execute(
      `ALTER TABLE ONLY ${table} ALTER COLUMN written_by SET DEFAULT (pg_current_xact_id()::text::bigint)`,
    );
  }
  await pauseBatch(database, key);
  expect(await settleFeed(database)).toMatchObject({ number: 3, begins: 0n, isShifted: true });
  expect(await settleFeed(database)).toBeUndefined();
  const { written, expected } = await shifts();
  expect(written).toEqual([expected, expected]);
  await resumeBatch(database, key);
  expect((await readOn(database, '0', 'delivering')).states).toEqual(['paused', 'delivering']);
});
