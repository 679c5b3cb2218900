import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Clock } from '../../src/lib/clock.ts';
import { type Database, openDatabase, type Statement } from '../../src/store/database.ts';
import { type SpaceWatch, watchSpace } from '../../src/store/watch-space.ts';
import { createTestDatabase } from '../support/postgres.ts';

const statement: Statement = { name: '', text: 'INSERT INTO thing VALUES ($1)' };
/** As a write ends that finds the disk full. */
const noSpace: Statement = {
  name: '',
  text: `DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$`,
};

let database: Database;
let nowMs: number;
let watch: SpaceWatch;

beforeAll(async () => {
  const { url } = await createTestDatabase({ empty: true });
  database = openDatabase({ url, poolSize: 1, name: 'space test' });
  await database.query({ name: '', text: 'CREATE TABLE thing (id integer)' });
});
afterAll(() => database.close());

beforeEach(() => {
  nowMs = 1_000;
  watch = watchSpace(database, { monotonicMs: () => nowMs } as Clock);
});

/** Every way in which something is written. */
const writes: Record<string, (call: { statement: Statement; values: number[] }) => Promise<unknown>> = {
  'a statement by itself': ({ statement, values }) => watch.database.query(statement, values),
  'a transaction': ({ statement, values }) =>
    watch.database.transaction((transaction) => transaction.query(statement, values)),
  'a call that is sent at once': (call) => watch.database.transactionOf([call]),
  'calls that are sent at once': (call) => watch.database.transactionOf([{ statement, values: [1] }, call]),
};

test.each(Object.keys(writes))('%s that finds the disk full is told, and is so for a while', async (way) => {
  expect(watch.full()).toBeUndefined();
  await expect(writes[way]!({ statement: noSpace, values: [] })).rejects.toThrow('could not extend file');
  expect(watch.full()).toMatchObject({ kind: 'full' });
  nowMs += 60_000;
  expect(watch.full()).toBeUndefined();
});

test('a full disk is told until something is written again, however many questions are answered', async () => {
  for (const way of ['a transaction', 'a call that is sent at once', 'calls that are sent at once']) {
    await expect(writes[way]!({ statement: noSpace, values: [] })).rejects.toThrow('could not extend file');
    await watch.database.query({ name: '', text: 'SELECT count(*) FROM thing' });
    expect(watch.full()).toMatchObject({ kind: 'full' });
    await writes[way]!({ statement, values: [2] });
    expect(watch.full()).toBeUndefined();
  }
});

test('a row that is changed in place does not tell that there is space again', async () => {
  await watch.database.transactionOf([{ statement, values: [3] }]);
  await expect(watch.inPlace.transactionOf([{ statement: noSpace, values: [] }])).rejects.toThrow('extend');
  expect(watch.full()).toMatchObject({ kind: 'full' });
  const change = { name: '', text: 'UPDATE thing SET id = 4 WHERE id = 3' };
  await watch.inPlace.transaction((transaction) => transaction.query(change));
  await watch.inPlace.transactionOf([{ statement: change, values: [] }]);
  expect(watch.full()).toMatchObject({ kind: 'full' });
});

test('another fault is none of space', async () => {
  const text = 'INSERT INTO nothing VALUES (1)';
  for (const write of Object.values(writes)) {
    await expect(write({ statement: { name: '', text }, values: [] })).rejects.toThrow('nothing');
    expect(watch.full()).toBeUndefined();
  }
});
