import { type Clock, systemClock } from '../lib/clock.ts';
import {
  type Database,
  DatabaseError,
  type DatabaseSettings,
  openDatabase,
  type Queryable,
} from './database.ts';
import { ensurePartitions } from './partitions.ts';
import { type Migration, readMigrations } from './read-migrations.ts';
import { settleFeed } from './reading/settle-feed.ts';
import { schemaMisfit } from './schema-fit.ts';

export interface MigrateSettings {
  connectionString: string;
  clock?: Clock;
  /** Of what takes no time in itself, which is all but a migration; 10,000 ms. */
  statementTimeoutMs?: number;
  /** Told now and then while another process migrates. */
  onWait?: (what: string) => void;
}

/** The schema of the database and the code do not fit, and a person must act. */
export class SchemaError extends Error {
  override name = 'SchemaError';
}

const oldestServer = 150_000;
/** Any constant will do: it only has to be the same in every process that migrates. */
const migrationLock = 7_155_921;
const migrationTimeoutMs = 600_000;
/** Whoever uses a table waits behind a migration that waits for it: so it gives way, and asks again later. */
const tableLockMs = 1_000;
const lockPauseMs = 500;
const lockTriesMax = 200;
const tellEveryMs = 10_000;
/** Lock not to be had in time; deadlock with who uses the tables. */
const lockCodes: ReadonlySet<string> = new Set(['55P03', '40P01']);

/**
 * Brings the schema up to date, makes today's partitions, and lets the change feed know of a restored database, while
 * servers of the release before go on. Forward only,
 * all or nothing, one process at a time: another that starts meanwhile waits, then finds nothing to do. A newer schema
 * is left as it is, if it says that this program works with it.
 * Answers the versions that it applied.
 * @throws SchemaError when the server is too old, the schema too new for this program, or a migration altered.
 */
export async function migrate(settings: MigrateSettings): Promise<number[]> {
  const { connectionString: url, clock = systemClock, statementTimeoutMs } = settings;
  // Each statement runs once, and an old PgBouncer has them still prepared when the next process comes.
  const usual = { url, poolSize: 1, name: 'migrate', namedStatements: false };
  const database = openDatabase({
    ...usual,
    ...(statementTimeoutMs !== undefined && { statementTimeoutMs }),
  });
  try {
    await checkServer(database);
    const known = await readMigrations();
    // Most starts find nothing missing: a server that falls silent then is known as such like everywhere else.
    const applied = (await isUpToDate(database, known)) ? [] : await applyMissing(usual, known, settings);
    await ensurePartitions(database);
    await whenFree(clock, () => settleFeed(database));
    return applied;
  } finally {
    await database.close();
  }
}

async function checkServer(database: Database): Promise<void> {
  const { rows } = await database.query<{ number: number; text: string }>({
    name: 'server_version',
    text: `SELECT current_setting('server_version_num')::integer AS number, version() AS text`,
  });
  const server = rows[0]!;
  if (server.number < oldestServer) {
    throw new SchemaError(`Millrace needs PostgreSQL 15 or newer; this server is ${server.text}`);
  }
}

/** Whether nothing is missing, as far as can be seen without waiting: who alters the table is migrating. */
async function isUpToDate(database: Database, known: Migration[]): Promise<boolean> {
  try {
    return await database.transaction(async (transaction) => {
      await transaction.query({ name: '', text: `SET LOCAL lock_timeout = ${tableLockMs}` });
      if (!(await hasBooks(transaction))) return false;
      return missingOf(await readApplied(transaction), known).length === 0;
    });
  } catch (error) {
    if (isBusy(error)) return false;
    throw error;
  }
}

/** With the patience that a migration of big tables needs. */
async function applyMissing(
  usual: DatabaseSettings,
  known: Migration[],
  { clock = systemClock, onWait = () => {} }: MigrateSettings,
): Promise<number[]> {
  const database = openDatabase({ ...usual, statementTimeoutMs: migrationTimeoutMs });
  const beganMs = clock.monotonicMs();
  let toldMs = Number.NEGATIVE_INFINITY;
  try {
    for (;;) {
      const applied = await whenFree(clock, () =>
        database.transaction((transaction) => apply(transaction, known)),
      );
      if (applied !== undefined) return applied;
      const nowMs = clock.monotonicMs();
      if (nowMs - beganMs > migrationTimeoutMs) throw new SchemaError(lockedForLong);
      if (nowMs - toldMs >= tellEveryMs) {
        onWait('another process brings the schema up to date');
        toldMs = nowMs;
      }
      await clock.sleep(lockPauseMs);
    }
  } finally {
    await database.close();
  }
}

const lockedForLong =
  'another process has been bringing the schema up to date for ten minutes, or holds its lock: see pg_locks, and start this one again';

/** In a moment when the tables are to be had. */
async function whenFree<Result>(clock: Clock, work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!isBusy(error) || tries === lockTriesMax) throw error;
      await clock.sleep(lockPauseMs);
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof DatabaseError && lockCodes.has(error.fault.code);
}

/** Undefined while another process does. */
async function apply(transaction: Queryable, known: Migration[]): Promise<number[] | undefined> {
  const { rows } = await transaction.query<{ free: boolean }>({
    name: '',
    text: `SELECT pg_try_advisory_xact_lock(${migrationLock}) AS free`,
  });
  if (!rows[0]!.free) return undefined;
  await transaction.query({ name: '', text: `SET LOCAL lock_timeout = ${tableLockMs}` });
  await keepBooks(transaction);
  const missing = missingOf(await readApplied(transaction), known);
  for (const { version, name, checksum, sql, compatibleFrom } of missing) {
    await transaction.query({ name: '', text: sql });
    await transaction.query(
      {
        name: '',
        text: 'INSERT INTO schema_migration (version, name, checksum, compatible_from) VALUES ($1, $2, $3, $4)',
      },
      [version, name, checksum, compatibleFrom],
    );
  }
  return missing.map(({ version }) => version);
}

/**
 * `compatible_from` is the oldest program, by the last migration that it knows, that works with the schema as of this
 * migration: a program reads there whether it may go on beside migrations that it does not know. The table is altered
 * only where it must be: readiness is asked of it, and would wait until the migrations after it are done.
 */
async function keepBooks(transaction: Queryable): Promise<void> {
  await transaction.query({
    name: '',
    text: `CREATE TABLE IF NOT EXISTS schema_migration (
      version integer PRIMARY KEY,
      name text NOT NULL,
      checksum text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now(),
      compatible_from integer
    )`,
  });
  if (await hasBooks(transaction)) return;
  await transaction.query({
    name: '',
    text: 'ALTER TABLE schema_migration ADD COLUMN compatible_from integer',
  });
}

/** The table, with the column that older programs did not make. */
async function hasBooks(transaction: Queryable): Promise<boolean> {
  const { rows } = await transaction.query({
    name: '',
    text: `SELECT FROM pg_attribute
      WHERE attrelid = to_regclass('schema_migration') AND attname = 'compatible_from' AND NOT attisdropped`,
  });
  return rows.length > 0;
}

interface Applied {
  version: number;
  name: string;
  checksum: string;
  /** A program from before the column wrote none: its schema promises nothing to older ones. */
  compatibleFrom: number;
}

async function readApplied(transaction: Queryable): Promise<Applied[]> {
  const { rows } = await transaction.query<Applied & Record<string, unknown>>({
    name: '',
    text: `SELECT version, name, checksum, coalesce(compatible_from, version)::integer AS "compatibleFrom"
      FROM schema_migration ORDER BY version`,
  });
  return rows;
}

function missingOf(applied: readonly Applied[], known: readonly Migration[]): Migration[] {
  const needed = known.at(-1)?.version ?? 0;
  const newest = applied.at(-1);
  const unknown = applied.find((row) => !known.some(({ version }) => version === row.version));
  if (newest && unknown) {
    const compatibleFrom = Math.max(...applied.map((row) => row.compatibleFrom));
    const misfit = schemaMisfit({ needed, present: newest.version, compatibleFrom });
    if (misfit !== null || unknown.version < needed) {
      throw new SchemaError(
        `the database has migration ${unknown.name}, which this version of Millrace does not know: ` +
          `it was written by a newer one${misfit === null ? '' : ` (${misfit})`}. ` +
          'Run that version, or restore a backup from before its upgrade.',
      );
    }
  }
  for (const row of applied) {
    const migration = known.find(({ version }) => version === row.version);
    if (migration && migration.checksum !== row.checksum) {
      throw new SchemaError(
        `migration ${row.name} was applied in another wording: this code and the database come from ` +
          'different builds. Run the build that made the database.',
      );
    }
  }
  return known.filter(({ version }) => !applied.some((row) => row.version === version));
}
