import { afterEach, beforeEach, expect, test } from 'vitest';
import { lowestIdAt } from '../../src/message/id.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import {
  dropExpiredPartitions,
  ensurePartitions,
  PartitionError,
  partitionedTables,
  partitionRange,
} from '../../src/store/partitions.ts';
import { createTestDatabase } from '../support/postgres.ts';

const dayMs = 86_400_000;
const retentionDays = 56;

let database: Database;
beforeEach(async () => {
  const { url } = await createTestDatabase();
  database = openDatabase({ url, poolSize: 3, name: 'partitions test' });
  // What it was copied from may have been made before midnight.
  await ensurePartitions(database);
});
afterEach(() => database.close());

function run(text: string, values: unknown[] = []): Promise<{ rows: Record<string, unknown>[] }> {
  return database.query({ name: '', text }, values);
}

/** Makes the partitions of a day as it would have been made then. */
async function makeDay(daysAgo: number): Promise<{ day: number; suffix: string }> {
  const day = Math.floor(Date.now() / dayMs) * dayMs - daysAgo * dayMs;
  const date = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  const suffix = date(day).replaceAll('-', '');
  for (const { table, key } of partitionedTables) {
    const [from, to] =
      key === 'date' ? [date(day), date(day + dayMs)] : [lowestIdAt(day), lowestIdAt(day + dayMs)];
    await run(
      `CREATE TABLE ${table}_p${suffix} PARTITION OF ${table} FOR VALUES FROM ('${from}') TO ('${to}')`,
    );
  }
  return { day, suffix };
}

async function dropExpired(): Promise<string[]> {
  const dropped: string[] = [];
  await dropExpiredPartitions(database, { retentionDays, onDropped: (name) => void dropped.push(name) });
  return dropped;
}

/** Holds a lock on a table in a transaction of its own until the answer is called. */
async function hold(table: string, mode: string): Promise<() => Promise<void>> {
  let letGo = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  let locked = () => {};
  const isLocked = new Promise<void>((resolve) => {
    locked = resolve;
  });
  const holding = database.transaction(async (transaction) => {
    await transaction.query({ name: '', text: `LOCK TABLE ${table} IN ${mode} MODE` });
    locked();
    await held;
  });
  await isLocked;
  return async () => {
    letGo();
    await holding;
  };
}

async function insertBatch(id: string, doneAt: Date | null): Promise<void> {
  await run(
    `INSERT INTO batch (shard, id, account_id, route_id, priority, start_on, defaults, closed_at, done_at)
      VALUES (0, $1, 1, 1, 1, 'now', '{}', $2, $2)`,
    [id, doneAt],
  );
}

test('partitions reach from yesterday to a week ahead, and making them again changes nothing', async () => {
  const { url } = await createTestDatabase({ empty: true });
  const fresh = openDatabase({ url, poolSize: 2, name: 'partitions test' });
  try {
    await migrate({ connectionString: url });
    const today = Math.floor(Date.now() / dayMs) * dayMs;
    await ensurePartitions(fresh);
    const range = { fromMs: today - dayMs, toMs: today + 8 * dayMs - 1 };
    expect(await partitionRange(fresh)).toEqual(range);
    await Promise.all([ensurePartitions(fresh), ensurePartitions(fresh)]);
    expect(await partitionRange(fresh)).toEqual(range);
  } finally {
    await fresh.close();
  }
});

test('an expired day is dropped from every table, and a younger one stays', async () => {
  const expired = await makeDay(retentionDays + 1);
  await makeDay(retentionDays - 1);
  const dropped = await dropExpired();
  const names = partitionedTables.map(({ table }) => `${table}_p${expired.suffix}`);
  // Answers to idempotent writes are kept for a day, so the younger day's are expired as well.
  expect(dropped).toEqual(expect.arrayContaining(names));
  expect(dropped).toHaveLength(names.length + 1);
});

test('a day with an unfinished chunk stays, and goes when the chunk is finished', async () => {
  const { day, suffix } = await makeDay(retentionDays + 2);
  const id = lowestIdAt(day + 1_000);
  await run(
    `INSERT INTO pending (chunk_id, shard, account_id, route_id, priority, count, due_at)
      VALUES ($1, 0, 1, 1, 1, 1, now())`,
    [id],
  );
  expect(await dropExpired()).not.toContain(`chunk_p${suffix}`);
  await run('DELETE FROM pending');
  expect(await dropExpired()).toContain(`chunk_p${suffix}`);
});

test('a batch stays as long as the newest of its messages', async () => {
  const undone = await makeDay(retentionDays + 3);
  const late = await makeDay(retentionDays + 4);
  await insertBatch(lowestIdAt(undone.day + 1), null);
  await insertBatch(lowestIdAt(late.day + 1), new Date(Date.now() - dayMs));
  const dropped = await dropExpired();
  expect(dropped).not.toContain(`batch_p${undone.suffix}`);
  expect(dropped).not.toContain(`batch_p${late.suffix}`);
  expect(dropped).toContain(`chunk_p${late.suffix}`);
});

test('dropping waits for no reader for long, and comes through when it has gone', async () => {
  const { suffix } = await makeDay(retentionDays + 5);
  let finish = () => {};
  const reading = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let began = () => {};
  const begun = new Promise<void>((resolve) => {
    began = resolve;
  });
  const reader = database.transaction(async (transaction) => {
    await transaction.query({ name: '', text: `SELECT count(*) FROM chunk_p${suffix}` });
    began();
    await reading;
  });
  await begun;
  const dropping = dropExpired();
  // An insert behind the waiting DROP gets through, because the DROP gives up its place.
  await run(
    `INSERT INTO chunk (shard, id, account_id, route_id, priority, count, codec, payload)
      VALUES (0, $1, 1, 1, 1, 1, 0, '')`,
    [lowestIdAt(Date.now())],
  );
  finish();
  await reader;
  expect(await dropping).toContain(`chunk_p${suffix}`);
});

test('a table that stays locked keeps the others from nothing, and the error says which it is and who holds it', async () => {
  const day = new Date(Date.now() + 7 * dayMs).toISOString().slice(0, 10).replaceAll('-', '');
  const expired = await makeDay(retentionDays + 6);
  for (const table of ['chunk', 'outcome']) await run(`DROP TABLE ${table}_p${day}`);
  const letGo = await hold('chunk', 'SHARE UPDATE EXCLUSIVE');
  const making = ensurePartitions(database, { patienceMs: 100 });
  await expect(making).rejects.toThrow(PartitionError);
  await expect(making).rejects.toThrow(/partitions of chunk could not be changed.*server processes: \d+/);
  expect((await run(`SELECT to_regclass('outcome_p${day}') AS made`)).rows).toEqual([
    { made: `outcome_p${day}` },
  ]);
  await letGo();
  await ensurePartitions(database);
  expect((await run(`SELECT to_regclass('chunk_p${day}') AS made`)).rows).toEqual([
    { made: `chunk_p${day}` },
  ]);

  const stopReading = await hold(`chunk_p${expired.suffix}`, 'ACCESS SHARE');
  const dropped: string[] = [];
  const settings = { patienceMs: 100, retentionDays, onDropped: (name: string) => void dropped.push(name) };
  await expect(dropExpiredPartitions(database, settings)).rejects.toThrow(`chunk_p${expired.suffix}`);
  expect(dropped).toContain(`outcome_p${expired.suffix}`);
  await stopReading();
  expect(await dropExpired()).toEqual([`chunk_p${expired.suffix}`]);
});
