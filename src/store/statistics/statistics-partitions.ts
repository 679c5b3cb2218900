import type { Database, Queryable } from '../database.ts';
import { keptFromMs, partitionOf, type StatisticsDays, type Step, steps, tableOf } from './periods.ts';

/** How long a change may stand before a table that is in use: everybody else waits behind it. */
const tableLockMs = 500;
/** The same in every process that makes partitions of statistics. */
const partitionLock = 7_155_923;

/** Makes the partitions of these moments that are missing. */
export async function ensureStatisticsPartitions(
  database: Database,
  { step, times }: { step: Step; times: readonly number[] },
): Promise<void> {
  const wanted = new Map(times.map((ms) => partitionOf(step, ms)).map((one) => [one.name, one]));
  const present = await listPartitions(database, step);
  const missing = [...wanted.values()].filter(({ name }) => !present.has(name));
  for (const one of missing) await makePartition(database, { step, ...one });
}

async function makePartition(
  database: Database,
  { step, name, fromMs, toMs }: { step: Step; name: string; fromMs: number; toMs: number },
): Promise<void> {
  const table = tableOf(step);
  const [from, to] = [fromMs, toMs].map((ms) => new Date(ms).toISOString());
  await database.transaction(async (transaction) => {
    await run(transaction, `SELECT pg_advisory_xact_lock(${partitionLock})`);
    await run(transaction, `SET LOCAL lock_timeout = ${tableLockMs}`);
    if ((await listPartitions(transaction, step)).has(name)) return;
    // Made apart and attached, because CREATE … PARTITION OF locks the parent against everybody.
    await run(transaction, `CREATE TABLE ${name} (LIKE ${table} INCLUDING STORAGE)`);
    await run(transaction, `ALTER TABLE ${name} SET (fillfactor = 80)`);
    await run(
      transaction,
      `ALTER TABLE ${table} ATTACH PARTITION ${name} FOR VALUES FROM ('${from}') TO ('${to}')`,
    );
  });
}

/** Drops the partitions whose last moment is not kept any more; tells their names. */
export async function dropExpiredStatistics(
  database: Database,
  { days, nowMs, onDropped }: { days: StatisticsDays; nowMs: number; onDropped: (name: string) => void },
): Promise<void> {
  for (const step of steps) {
    const keptFrom = keptFromMs(step, days, nowMs);
    for (const name of await listPartitions(database, step)) {
      const { toMs } = partitionOf(step, firstMsOf(name));
      if (toMs > keptFrom) continue;
      await database.transaction(async (transaction) => {
        await run(transaction, `SET LOCAL lock_timeout = ${tableLockMs}`);
        await run(transaction, `DROP TABLE IF EXISTS ${name}`);
      });
      onDropped(name);
    }
  }
}

async function listPartitions(database: Queryable, step: Step): Promise<Set<string>> {
  const { rows } = await database.query<{ name: string }>(
    {
      name: 'list_statistics_partitions',
      text: `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = to_regclass($1)`,
    },
    [tableOf(step)],
  );
  return new Set(rows.map(({ name }) => name));
}

function firstMsOf(partition: string): number {
  const digits = /_p(\d{4})(\d{2})?(\d{2})?$/.exec(partition)!;
  return Date.UTC(Number(digits[1]), Number(digits[2] ?? 1) - 1, Number(digits[3] ?? 1));
}

function run(database: Queryable, text: string) {
  return database.query({ name: '', text });
}
