import { expect, test } from 'vitest';
import { stage } from './outbox.ts';

interface Ran {
  sql: string;
  values: unknown[];
}

function recorder() {
  const ran: Ran[] = [];
  const run = async (sql: string, values: unknown[]) => void ran.push({ sql, values });
  return { ran, run };
}

const message = { to: '+31612345678', body: 'Hello' };

test.each([
  [null, 'must be an object'],
  ['hello', 'must be an object'],
  [{ body: 'Hello' }, 'needs a recipient'],
  [{ ...message, to: '' }, 'needs a recipient'],
  [{ ...message, text: 'Hello' }, '"text", which Millrace does not know'],
  [{ ...message, constructor: 'Hello' }, '"constructor", which Millrace does not know'],
  [{ ...message, body: 7 }, 'body of the message must be a string'],
  [{ ...message, tags: ['a', 1] }, 'tags of the message must be an array of strings'],
  [{ ...message, metadata: [] }, 'metadata of the message must be an object'],
  [{ ...message, priority: 'high' }, 'priority of the message must be interactive or bulk'],
  [{ ...message, body: 'x'.repeat(65_536) }, '65536 are the most'],
])('%j is refused before anything is staged', async (wrong, why) => {
  const { ran, run } = recorder();
  await expect(stage(run, wrong as never)).rejects.toThrow(why);
  await expect(stage(run, [message, wrong] as never)).rejects.toThrow(TypeError);
  expect(ran).toEqual([]);
});

test('the wrong one of several is named by its place', async () => {
  const { run } = recorder();
  await expect(stage(run, [message, { ...message, to: 3 }] as never)).rejects.toThrow('to of message 1');
});

test('a pool is refused: its statements would not be in the transaction', async () => {
  const query = async () => {};
  await expect(stage({ query, getConnection() {} } as never, message)).rejects.toThrow('a pool');
  await expect(stage({ query, totalCount: 1 } as never, message)).rejects.toThrow('a pool');
  await expect(stage({} as never, message)).rejects.toThrow('needs the connection');
});

test('a table is named without anything that SQL would read otherwise', async () => {
  const { ran, run } = recorder();
  await expect(stage(run, message, { table: 'a"; DROP TABLE b' })).rejects.toThrow('must be named as');
  await stage(run, message, { table: 'app.outbox' });
  expect(ran.map(({ sql }) => sql)).toEqual([
    expect.stringContaining('INSERT INTO "app"."outbox" (message)'),
  ]);
});

test('keys are locked once each, before the messages of any', async () => {
  const { ran, run } = recorder();
  const keyed = ['b', 'a', 'b'].map((orderingKey) => ({ ...message, orderingKey }));
  await stage(run, keyed);
  expect(ran).toHaveLength(2);
  expect(ran[0]!.sql).toContain('pg_advisory_xact_lock');
  expect(JSON.parse(ran[0]!.values[1] as string)).toEqual(['b', 'a']);
});

test('the connection of a driver tells which database it is; the callback interface of mysql2 is led to the other', async () => {
  const { ran, run } = recorder();
  const query = run;
  await stage({ query, execute() {} } as never, message);
  await stage({ query() {}, execute() {}, promise: () => ({ query }) } as never, message);
  await stage(run, message, { dialect: 'mariadb' });
  expect(ran.map(({ sql }) => sql)).toEqual(
    Array(3).fill('INSERT INTO `millrace_outbox` (message) VALUES (?)'),
  );
});

test('many messages go in several statements', async () => {
  const { ran, run } = recorder();
  await stage(run, Array(2_500).fill(message));
  expect(ran.map(({ values }) => (JSON.parse(values[0] as string) as unknown[]).length)).toEqual([
    1_000, 1_000, 500,
  ]);
});
