import { type Clock, systemClock } from '../lib/clock.ts';
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
  { table: 'provider_ref', key: 'chunk' },
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
/** How long a change may stand before a table that is in use: everybody else waits behind it. */
const tableLockMs = 500;
/** A partition that expired is used by nobody but readers, and an autovacuum gives way only after a second. */
const expiredLockMs = 2_000;
const lockPauseMs = { min: 100, max: 2_000 };
const lockPatienceDefaultMs = 20_000;
const partitionLock = 7_155_922;

export interface PartitionSettings {
  /** How long a table is tried whose lock is not to be had; 20,000 ms. */
  patienceMs?: number;
  clock?: Clock;
}

/** A table's partitions could not be changed; the others' were. */
export class PartitionError extends Error {
  override name = 'PartitionError';
}

/**
 * Makes the partitions of yesterday to next week, as the database's clock has it. Repeating it is free.
 * @throws PartitionError for a table whose lock was not to be had in time, after all others were done
 */
export async function ensurePartitions(database: Database, settings: PartitionSettings = {}): Promise<void> {
  const today = await databaseDay(database);
  const present = await listPartitions(database);
  const days = Array.from(
    { length: daysBehind + daysAhead + 1 },
    (_, day) => today + (day - daysBehind) * dayMs,
  );
  const changes = partitionedTables.map(({ table, key }) => {
    const missing = days.filter((day) => !present.has(partitionName(table, day)));
    const make = () => makePartitions(database, { table, key, days: missing });
    return { table, change: () => (missing.length === 0 ? Promise.resolve() : make()) };
  });
  await changeEach(database, { changes, settings });
}

async function makePartitions(
  database: Database,
  { table, key, days }: { table: string; key: PartitionKey; days: number[] },
): Promise<void> {
  await database.transaction(async (transaction) => {
    // One process makes them, and the others find them made. Nobody else queues up behind this wait.
    await transaction.query({ name: '', text: `SELECT pg_advisory_xact_lock(${partitionLock})` });
    await transaction.query({ name: '', text: `SET LOCAL lock_timeout = ${tableLockMs}` });
    const present = await listPartitions(transaction);
    for (const day of days) {
      const name = partitionName(table, day);
      if (present.has(name)) continue;
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
 * Tells the names of what it dropped.
 * @throws PartitionError for a partition whose lock was not to be had in time, after all others were done
 */
export async function dropExpiredPartitions(
  database: Database,
  settings: PartitionSettings & { retentionDays: number; onDropped: (name: string) => void },
): Promise<void> {
  const today = await databaseDay(database);
  const names = [...(await listPartitions(database))];
  const changes = partitionedTables.flatMap(({ table, key }) => {
    const keptDays = key === 'date' ? idempotencyDays : settings.retentionDays;
    return names
      .map((name) => ({ name, day: dayOfPartition(name) }))
      .filter(({ name, day }) => name === partitionName(table, day) && day < today - keptDays * dayMs)
      .sort((a, b) => a.day - b.day)
      .map(({ name, day }) => ({
        table: name,
        async change() {
          const dropped = await dropPartition(database, { name, key, day, keptMs: keptDays * dayMs });
          if (dropped) settings.onDropped(name);
        },
      }));
  });
  await changeEach(database, { changes, settings });
}

/** Answers false when something still needs the day. */
async function dropPartition(
  database: Database,
  { name, ...day }: { name: string; key: PartitionKey; day: number; keptMs: number },
): Promise<boolean> {
  return await database.transaction(async (transaction) => {
    if (await isHeld(transaction, day)) return false;
    // Its readers are waited for before the parent is locked, because behind that everybody waits.
    await transaction.query({ name: '', text: `SET LOCAL lock_timeout = ${expiredLockMs}` });
    await transaction.query({ name: '', text: `LOCK TABLE ${name} IN ACCESS EXCLUSIVE MODE` });
    await transaction.query({ name: '', text: `SET LOCAL lock_timeout = ${tableLockMs}` });
    await transaction.query({ name: '', text: `DROP TABLE IF EXISTS ${name}` });
    return true;
  });
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

interface TableChange {
  /** The table whose lock it needs. */
  table: string;
  change: () => Promise<void>;
}

/** Makes each change; one that gets no lock in time keeps none of the others from being made. */
async function changeEach(
  database: Database,
  { changes, settings }: { changes: TableChange[]; settings: PartitionSettings },
): Promise<void> {
  const failures: PartitionError[] = [];
  for (const { table, change } of changes) {
    const cause = await untilLocked(change, settings);
    if (cause) failures.push(await describeWait(database, { table, cause }));
  }
  if (failures.length === 0) return;
  throw failures.length === 1
    ? failures[0]
    : new PartitionError(failures.map(({ message }) => message).join('; '), { cause: failures[0]?.cause });
}

/**
 * A change of partitions waits for whoever uses the table, and everybody else queues up behind it: so it gives up soon
 * and tries again, after pauses that grow. Answers the last error when its patience has ended.
 */
async function untilLocked(
  change: () => Promise<void>,
  { clock = systemClock, patienceMs = lockPatienceDefaultMs }: PartitionSettings,
): Promise<DatabaseError | undefined> {
  const endMs = clock.monotonicMs() + patienceMs;
  for (let pauseMs = lockPauseMs.min; ; pauseMs = Math.min(2 * pauseMs, lockPauseMs.max)) {
    try {
      await change();
      return undefined;
    } catch (error) {
      const again = error instanceof DatabaseError && ['timeout', 'conflict'].includes(error.fault.kind);
      if (!again) throw error;
      if (clock.monotonicMs() + pauseMs > endMs) return error;
      await clock.sleep(pauseMs);
    }
  }
}

async function describeWait(
  database: Database,
  { table, cause }: { table: string; cause: DatabaseError },
): Promise<PartitionError> {
  const { rows } = await database.query<{ pid: number }>(
    {
      name: 'lock_holders',
      text: 'SELECT DISTINCT pid FROM pg_locks WHERE granted AND relation = to_regclass($1) ORDER BY pid LIMIT 10',
    },
    [table],
  );
  const holders = rows.map(({ pid }) => pid).join(', ') || 'gone by now';
  return new PartitionError(
    `the partitions of ${table} could not be changed, another use of the table did not end in time ` +
      `(server processes: ${holders}): ${cause.message}`,
    { cause },
  );
}
