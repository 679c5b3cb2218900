import { lowestIdAt } from '../message/id.ts';
import { type Database, DatabaseError, type Queryable } from './database.ts';

/**
 * Tables partitioned by day. `key` says what the day is of: a chunk's id, its batch's id, or a date.
 * Days are UTC; the partition of 2026-11-21 of table chunk is `chunk_p20261121`.
 */
export const partitionedTables = [
  { table: 'chunk', key: 'chunk' },
  { table: 'chunk_filter', key: 'chunk' },
  { table: 'message_key', key: 'chunk' },
  { table: 'outcome', key: 'chunk' },
  { table: 'batch', key: 'batch' },
  { table: 'batch_slot', key: 'batch' },
  { table: 'batch_fence', key: 'batch' },
  { table: 'rejection', key: 'batch' },
  { table: 'batch_progress', key: 'batch' },
  { table: 'batch_event', key: 'batch' },
  { table: 'idempotency', key: 'date' },
] as const;

type PartitionKey = (typeof partitionedTables)[number]['key'];

const dayMs = 86_400_000;
/** Partitions made ahead: a week of operators on holiday, and of clocks that run fast. */
const daysAhead = 7;
/** One day back, for an id minted before midnight and stored after it. */
const daysBehind = 1;
/** Answers to idempotent writes are kept for 24 h, which may touch three dates. */
const idempotencyDays = 2;
const lockTimeoutMs = 500;
const lockTriesMax = 20;
const partitionLock = 7_155_922;

/** Makes the partitions of yesterday to next week, as the database's clock has it. Repeating it is free. */
export async function ensurePartitions(database: Database): Promise<void> {
  const today = await databaseDay(database);
  const present = await listPartitions(database);
  const wanted = partitionedTables.flatMap(({ table, key }) =>
    Array.from({ length: daysBehind + daysAhead + 1 }, (_, index) => ({
      table,
      key,
      day: today + (index - daysBehind) * dayMs,
    })),
  );
  const missing = wanted.filter(({ table, day }) => !present.has(partitionName(table, day)));
  if (missing.length === 0) return;
  await underLockTimeout(database, async (transaction) => {
    await transaction.query({ name: '', text: `SELECT pg_advisory_xact_lock(${partitionLock})` });
    const now = await listPartitions(transaction);
    for (const { table, key, day } of missing) {
      const name = partitionName(table, day);
      if (now.has(name)) continue;
      const [from, to] = bounds(key, day);
      // Made apart and attached, because CREATE … PARTITION OF locks the parent against everybody.
      await transaction.query({
        name: '',
        text: `CREATE TABLE ${name} (LIKE ${table} INCLUDING STORAGE INCLUDING DEFAULTS)`,
      });
      await transaction.query({
        name: '',
        text: `ALTER TABLE ${table} ATTACH PARTITION ${name} FOR VALUES FROM ('${from}') TO ('${to}')`,
      });
    }
  });
}

/**
 * Drops the partitions of days that lie `retentionDays` or more behind. A day stays as long as one of its chunks is
 * unfinished or one of its batches is not done, and a batch's rows stay as long as its messages.
 * Answers the names of what it dropped.
 */
export async function dropExpiredPartitions(
  database: Database,
  settings: { retentionDays: number },
): Promise<string[]> {
  const today = await databaseDay(database);
  const names = [...(await listPartitions(database))];
  const dropped: string[] = [];
  for (const { table, key } of partitionedTables) {
    const keptDays = key === 'date' ? idempotencyDays : settings.retentionDays;
    const expired = names
      .map((name) => ({ name, day: dayOfPartition(name) }))
      .filter(({ name, day }) => name === partitionName(table, day) && day < today - keptDays * dayMs)
      .sort((a, b) => a.day - b.day);
    for (const { name, day } of expired) {
      const done = await underLockTimeout(database, async (transaction) => {
        if (await isHeld(transaction, { key, day, keptMs: keptDays * dayMs })) return false;
        await transaction.query({ name: '', text: `DROP TABLE IF EXISTS ${name}` });
        return true;
      });
      if (done) dropped.push(name);
    }
  }
  return dropped;
}

/** The first and last millisecond for which every table has a partition: ids must lie between them. */
export async function partitionRange(database: Queryable): Promise<{ fromMs: number; toMs: number }> {
  const days = [...(await listPartitions(database))]
    .filter((name) => /^chunk_p\d{8}$/.test(name))
    .map(dayOfPartition)
    .sort((a, b) => a - b);
  const last = days.at(-1);
  if (last === undefined) throw new Error('the table chunk has no partitions: run `millrace migrate`');
  // Days in one unbroken run up to the last: a gap would refuse inserts.
  let from = last;
  for (let index = days.length - 2; index >= 0 && days[index] === from - dayMs; index--) from -= dayMs;
  return { fromMs: from, toMs: last + dayMs - 1 };
}

/** Whole days behind today for which each table has partitions without a gap; -1 when today's is missing. */
export async function partitionsAhead(database: Queryable): Promise<{ table: string; days: number }[]> {
  const today = await databaseDay(database);
  const present = await listPartitions(database);
  return partitionedTables.map(({ table }) => {
    let days = -1;
    while (present.has(partitionName(table, today + (days + 1) * dayMs))) days++;
    return { table, days };
  });
}

async function isHeld(
  transaction: Queryable,
  { key, day, keptMs }: { key: PartitionKey; day: number; keptMs: number },
): Promise<boolean> {
  if (key === 'date') return false;
  const [from, to] = bounds(key, day);
  if (key === 'chunk') {
    const { rows } = await transaction.query<{ held: boolean }>(
      {
        name: '',
        text: 'SELECT EXISTS (SELECT FROM pending WHERE chunk_id >= $1 AND chunk_id < $2) AS held',
      },
      [from, to],
    );
    return rows[0]!.held;
  }
  // A batch may be appended to for days: its rows go when the newest of its chunks has gone.
  const { rows } = await transaction.query<{ held: boolean }>(
    {
      name: '',
      text: `SELECT EXISTS (
        SELECT FROM batch WHERE id >= $1 AND id < $2
           AND (done_at IS NULL OR greatest(closed_at, done_at) > now() - $3 * interval '1 millisecond')
      ) AS held`,
    },
    [from, to, keptMs],
  );
  return rows[0]!.held;
}

async function listPartitions(database: Queryable): Promise<Set<string>> {
  const { rows } = await database.query<{ name: string }>(
    {
      name: 'list_partitions',
      text: `SELECT c.relname AS name
        FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid
        JOIN pg_class p ON p.oid = i.inhparent
        WHERE p.oid = ANY (SELECT to_regclass(name) FROM unnest($1::text[]) AS name)`,
    },
    [partitionedTables.map(({ table }) => table)],
  );
  return new Set(rows.map(({ name }) => name));
}

async function databaseDay(database: Queryable): Promise<number> {
  const { rows } = await database.query<{ ms: number }>({
    name: 'database_now',
    text: 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms',
  });
  return Math.floor(rows[0]!.ms / dayMs) * dayMs;
}

function bounds(key: PartitionKey, day: number): [string, string] {
  if (key === 'date') return [isoDate(day), isoDate(day + dayMs)];
  return [lowestIdAt(day), lowestIdAt(day + dayMs)];
}

function partitionName(table: string, day: number): string {
  return `${table}_p${isoDate(day).replaceAll('-', '')}`;
}

function dayOfPartition(name: string): number {
  const digits = name.slice(-8);
  return Date.parse(`${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6)}T00:00:00Z`);
}

function isoDate(ms: number): string {
  if (!Number.isFinite(ms)) return '';
  return new Date(ms).toISOString().slice(0, 10);
}

/**
 * A change of partitions waits for whoever reads the table, and everybody else queues up behind it: so it
 * gives up soon and tries again.
 */
async function underLockTimeout<Result>(
  database: Database,
  work: (transaction: Queryable) => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await database.transaction(async (transaction) => {
        await transaction.query({ name: '', text: `SET LOCAL lock_timeout = ${lockTimeoutMs}` });
        return await work(transaction);
      });
    } catch (error) {
      const again = error instanceof DatabaseError && ['timeout', 'conflict'].includes(error.fault.kind);
      if (!again || attempt === lockTriesMax) throw error;
    }
  }
}
