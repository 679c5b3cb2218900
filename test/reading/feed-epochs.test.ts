import pg from 'pg';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { feedSource } from '../../src/api/reading/feed-source.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { cancelBatch, pauseBatch, resumeBatch } from '../../src/store/decisions/hold-batch.ts';
import { migrate } from '../../src/store/migrate.ts';
import { parseFeedCursor } from '../../src/store/reading/feed-cursor.ts';
import { settleFeed } from '../../src/store/reading/settle-feed.ts';
import { insertBatch } from '../delivery/mill.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { ahead, becomeRestored, readOn } from './feed-reader.ts';

let url: string;
let database: Database;
let batch: string;

beforeEach(async () => {
  ({ url } = await createTestDatabase());
  database = openDatabase({ url, poolSize: 4, name: 'feed epochs test' });
  batch = await insertBatch(database, { accepted: 1 });
});

afterEach(() => database.close());

function execute(text: string) {
  return database.query<{ value: string }>({ name: '', text });
}

test('data that is restored into a cluster with a lower count is read on, from places of before and from the start', async () => {
  const key = { batch, accountId: 1 };
  await pauseBatch(database, key);
  const { cursor } = await readOn(database, '0', 'paused');
  await settleFeed(database);
  await resumeBatch(database, key);
  const past = await readOn(database, cursor, 'delivering');
  expect(past.states).toEqual(['delivering']);
  const moved = (given: string) => given.replace(/^\d+/, (number) => `${Number(number) + ahead}`);

  await becomeRestored(database);
  await migrate({ connectionString: url });
  await cancelBatch(database, key);
  // What was read and not written down as settled comes again, and nothing is left out.
  const all = ['paused', 'delivering', 'canceled'];
  for (const given of [past.cursor, cursor]) {
    const { states } = await readOn(database, moved(given), 'canceled');
    expect(all.slice(-states.length)).toEqual(states);
    if (given === cursor) expect(states).toContain('delivering');
  }
  expect((await readOn(database, '0', 'canceled')).states).toEqual(all);
});

test('a restored database that is found while servers run sends readers back to what was written first', async () => {
  const key = { batch, accountId: 1 };
  await pauseBatch(database, key);
  await settleFeed(database);
  await becomeRestored(database);
  // Written before anybody has seen it.
  await resumeBatch(database, key);
  expect(await settleFeed(database)).toMatchObject({ isShifted: true });
  // In the order of their numbers, which nobody could help.
  const { states } = await readOn(database, `${2 * ahead}`, 'paused');
  expect(states).toEqual(['delivering', 'paused']);
});

test('a place of before a failover goes back to what was settled, also when the count has caught up with it', async () => {
  const key = { batch, accountId: 1 };
  await pauseBatch(database, key);
  const { cursor: early } = await readOn(database, '0', 'paused');
  // The state of the standby that is promoted: what came after was lost, and is written anew under numbers that were used.
  await settleFeed(database);
  await resumeBatch(database, key);
  const { cursor: late } = await readOn(database, early, 'delivering');
  await execute('UPDATE feed_epoch SET timeline = timeline - 1');
  const begun = await settleFeed(database);
  expect(begun).toMatchObject({ number: 2, isShifted: false });
  expect(await settleFeed(database)).toBeUndefined();
  const again = await readOn(database, late, 'delivering');
  expect(['paused', 'delivering'].slice(-again.states.length)).toEqual(again.states);
  expect(again.cursor).toMatch(/^[0-9a-f]{8}:\d+/);
  await cancelBatch(database, key);
  expect((await readOn(database, again.cursor, 'canceled')).states).toEqual(['canceled']);
  expect((await readOn(database, early, 'canceled')).states.slice(-2)).toEqual(['delivering', 'canceled']);
});

test('a place that nothing has come as far as is read from the beginning of its epoch', async () => {
  const key = { batch, accountId: 1 };
  await pauseBatch(database, key);
  await settleFeed(database);
  expect((await readOn(database, `${ahead}`, 'paused')).states).toEqual(['paused']);
});

test('a place of an epoch that the database knows nothing of is refused with what to do', async () => {
  const place = parseFeedCursor('0123abcd:5')!;
  const source = feedSource(place, { chosen: database, primary: database, settle: async () => {} });
  await expect(source).rejects.toMatchObject({
    code: 'cursor_outdated',
    message: expect.stringContaining('without `after`'),
  });
});

test('a role that may not see which cluster it is on settles the feed all the same, and finds a count that went back', async () => {
  const role = `${new URL(url).pathname.slice(1)}_pooled`;
  await execute(`CREATE ROLE ${role} LOGIN PASSWORD 'pooled'`);
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  onTestFinished(async () => {
    await admin.query(`DROP OWNED BY ${role}`);
    await admin.query(`DROP ROLE ${role}`);
    await admin.end();
  });
  await execute('REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC');
  for (const table of ['outcome', 'batch_event', 'feed_epoch']) {
    await execute(`ALTER TABLE ${table} OWNER TO ${role}`);
  }
  await execute(`GRANT CREATE ON SCHEMA public TO ${role}`);
  const address = new URL(url);
  [address.username, address.password] = [role, 'pooled'];
  const pooled = openDatabase({ url: address.href, poolSize: 1, name: 'feed epochs test' });
  onTestFinished(() => pooled.close());

  const hidden = await settleFeed(pooled);
  expect(hidden).toMatchObject({ isShifted: false });
  expect(await settleFeed(pooled)).toBeUndefined();
  await execute(`UPDATE feed_epoch SET settled = settled + ${ahead}`);
  expect(await settleFeed(pooled)).toMatchObject({ isShifted: true });
});
