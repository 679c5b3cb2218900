import type { Queryable } from './database.ts';
import { readMigrations } from './read-migrations.ts';

export interface SchemaVersions {
  /** The version that this program needs. */
  needed: number;
  /** The version that the database has; 0 for none. */
  present: number;
  /** The oldest program, by the version that it needs, that works with what the database has. */
  compatibleFrom: number;
}

/** Read once: an upgrade puts new files under a program that runs on. */
let programVersion: Promise<number> | undefined;

export async function schemaVersions(database: Queryable): Promise<SchemaVersions> {
  programVersion ??= readMigrations().then((known) => known.at(-1)?.version ?? 0);
  const needed = await programVersion;
  const exists = await database.query<{ found: boolean }>({
    name: 'schema_table_exists',
    text: `SELECT to_regclass('schema_migration') IS NOT NULL AS found`,
  });
  if (!exists.rows[0]?.found) return { needed, present: 0, compatibleFrom: 0 };
  // As JSON, because a database that an older program made has no such column, and says nothing of older programs.
  const { rows } = await database.query<{ present: number; compatibleFrom: number }>({
    name: 'schema_version',
    text: `SELECT coalesce(max(version), 0)::integer AS present,
        coalesce(max(coalesce((to_jsonb(m) ->> 'compatible_from')::integer, version)), 0)::integer AS "compatibleFrom"
      FROM schema_migration m`,
  });
  return { needed, ...rows[0]! };
}

/** Null when this program works with the schema: its own, or a newer one that says so. */
export function schemaMisfit({ needed, present, compatibleFrom }: SchemaVersions): string | null {
  if (present < needed) return `the schema has version ${present}, this program needs ${needed}`;
  if (compatibleFrom <= needed) return null;
  return `the schema has version ${present}, which works with programs from version ${compatibleFrom} on; this one is of ${needed}`;
}
