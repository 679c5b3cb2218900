import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { awaitWorkers } from '../../src/api/suppressing/await-workers.ts';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { createTestDatabase } from '../support/postgres.ts';

let database: Database;

beforeEach(async () => {
  database = openDatabase({ url: (await createTestDatabase()).url, poolSize: 2, name: 'test' });
});

afterEach(() => database.close());

const lists = { accountId: 1, channels: ['sms'] as const };

test('a worker that takes no notice of a new list keeps it from being used, and is named', async () => {
  await register({ host: 'sleepy', pid: 4711, knows: 0 });
  await expect(awaitWorkers(database, lists, hurriedClock())).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('the worker of process 4711 on sleepy'),
    retryAfterSeconds: expect.any(Number),
  });
  expect(await confirmed()).toEqual([false]);
});

test('a list is used from the moment on at which the last worker knows it', async () => {
  const quick = await register({ host: 'quick', pid: 1, knows: 0 });
  const slow = await register({ host: 'slow', pid: 2, knows: 0 });
  const takeNotice = async (id: string) => {
    await database.query(
      { name: 'test_take_notice', text: 'UPDATE worker SET suppression_lists = 1 WHERE id = $1' },
      [id],
    );
  };
  const steps = [
    () => takeNotice(quick),
    async () => expect(await confirmed()).toEqual([false]),
    () => takeNotice(slow),
  ];
  await awaitWorkers(
    database,
    lists,
    hurriedClock(() => steps.shift()?.()),
  );
  expect(steps).toHaveLength(0);
  expect(await confirmed()).toEqual([true]);
});

async function register({ host, pid, knows }: { host: string; pid: number; knows: number }) {
  const id = randomUUID();
  await database.query(
    {
      name: 'test_register_worker',
      text: 'INSERT INTO worker (id, beat, host, pid, suppression_lists) VALUES ($1, 1, $2, $3, $4)',
    },
    [id, host, pid, knows],
  );
  return id;
}

async function confirmed(): Promise<boolean[]> {
  const { rows } = await database.query<{ confirmed: boolean }>({
    name: 'test_read_confirmed',
    text: 'SELECT confirmed FROM suppression_list',
  });
  return rows.map((row) => row.confirmed);
}

/** Goes on by what is slept, at once. */
function hurriedClock(onSleep: () => unknown = () => undefined): Clock {
  let slept = 0;
  return {
    ...systemClock,
    monotonicMs: () => slept,
    async sleep(ms) {
      slept += ms;
      await onSleep();
    },
  };
}
