import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { type Database, type DatabaseSettings, openDatabase, type Queryable } from './database.ts';
import { ensurePartitions } from './partitions.ts';

export interface Migration {
  version: number;
  name: string;
  sql: string;
  checksum: string;
}

export interface MigrateSettings extends Pick<DatabaseSettings, 'namedStatements'> {
  connectionString: string;
}

/** The schema of the database and the code do not fit, and a person must act. */
export class SchemaError extends Error {
  override name = 'SchemaError';
}

const oldestServer = 150_000;
/** Any constant will do: it only has to be the same in every process that migrates. */
const migrationLock = 7_155_921;
const migrationTimeoutMs = 600_000;

/**
 * Brings the schema up to date and makes today's partitions. Forward only, all or nothing, one process at
 * a time: another that starts meanwhile waits, then finds nothing to do.
 * Answers the versions that it applied.
 * @throws SchemaError when the server is too old, the schema newer than this code, or a migration altered.
 */
export async function migrate({ connectionString: url, ...settings }: MigrateSettings): Promise<number[]> {
  const database = openDatabase({
    ...settings,
    url,
    poolSize: 1,
    name: 'migrate',
    statementTimeoutMs: migrationTimeoutMs,
  });
  try {
    await checkServer(database);
    const known = await readMigrations();
    const applied = await database.transaction((transaction) => apply(transaction, known));
    await ensurePartitions(database);
    return applied;
  } finally {
    await database.close();
  }
}

/** The version that this code needs and the one that the database has; equal when all is well. */
export async function schemaVersions(database: Queryable): Promise<{ needed: number; present: number }> {
  const needed = (await readMigrations()).at(-1)?.version ?? 0;
  const exists = await database.query<{ found: boolean }>({
    name: 'schema_table_exists',
    text: `SELECT to_regclass('schema_migration') IS NOT NULL AS found`,
  });
  if (!exists.rows[0]?.found) return { needed, present: 0 };
  const { rows } = await database.query<{ version: number }>({
    name: 'schema_version',
    text: 'SELECT coalesce(max(version), 0)::integer AS version FROM schema_migration',
  });
  return { needed, present: rows[0]?.version ?? 0 };
}

export async function readMigrations(): Promise<Migration[]> {
  const directory = new URL('../../migrations/', import.meta.url);
  const names = (await readdir(directory)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(new URL(name, directory), 'utf8');
      const checksum = createHash('sha256').update(sql).digest('hex');
      return { version: Number(name.slice(0, 4)), name, sql, checksum };
    }),
  );
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

async function apply(transaction: Queryable, known: Migration[]): Promise<number[]> {
  await transaction.query({ name: '', text: `SELECT pg_advisory_xact_lock(${migrationLock})` });
  await transaction.query({
    name: '',
    text: `CREATE TABLE IF NOT EXISTS schema_migration (
      version integer PRIMARY KEY,
      name text NOT NULL,
      checksum text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`,
  });
  const { rows } = await transaction.query<{ version: number; name: string; checksum: string }>({
    name: '',
    text: 'SELECT version, name, checksum FROM schema_migration ORDER BY version',
  });
  const present = new Map(rows.map((row) => [row.version, row]));
  for (const row of rows) {
    const migration = known.find(({ version }) => version === row.version);
    if (!migration) {
      throw new SchemaError(
        `the database has migration ${row.name}, which this version of Millrace does not know: ` +
          'it was written by a newer one. Run that version, or restore a backup from before its upgrade.',
      );
    }
    if (migration.checksum !== row.checksum) {
      throw new SchemaError(
        `migration ${row.name} was applied in another wording: this code and the database come from ` +
          'different builds. Run the build that made the database.',
      );
    }
  }
  const missing = known.filter(({ version }) => !present.has(version));
  for (const migration of missing) {
    await transaction.query({ name: '', text: migration.sql });
    await transaction.query(
      { name: '', text: 'INSERT INTO schema_migration (version, name, checksum) VALUES ($1, $2, $3)' },
      [migration.version, migration.name, migration.checksum],
    );
  }
  return missing.map(({ version }) => version);
}
