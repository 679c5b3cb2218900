import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../lib/package-root.ts';

export interface Migration {
  version: number;
  name: string;
  sql: string;
  checksum: string;
  /** The oldest program, by the version that it needs, that works with this schema. */
  compatibleFrom: number;
}

/** These were applied before files said what they are, and an applied file keeps its wording. */
const lastUndeclared = 3;
const declaration = /^-- (?:(expand)|contract from (\d{4})): \S/;

/**
 * The schema's files in order. The first line of each says who works beside it: `-- expand: why` keeps every program
 * that worked before, `-- contract from 0007: why` those that know migration 7.
 */
export async function readMigrations(directory = join(packageRoot, 'migrations')): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).sort();
  const files = await Promise.all(
    names.map(async (name) => ({ name, sql: await readFile(join(directory, name), 'utf8') })),
  );
  let compatibleFrom = 0;
  return files.map(({ name, sql }) => {
    const version = Number(name.slice(0, 4));
    compatibleFrom = Math.max(compatibleFrom, oldestBeside({ version, name, sql }) ?? compatibleFrom);
    const checksum = createHash('sha256').update(sql).digest('hex');
    return { version, name, sql, checksum, compatibleFrom };
  });
}

/** Undefined when it shuts nobody out. */
function oldestBeside(file: Pick<Migration, 'version' | 'name' | 'sql'>): number | undefined {
  const [, expand, from] = declaration.exec(file.sql) ?? [];
  if (expand) return undefined;
  if (from !== undefined && Number(from) <= file.version) return Number(from);
  if (file.version <= lastUndeclared) return file.version;
  throw new Error(
    `the first line of ${file.name} must be "-- expand: why" or "-- contract from NNNN: why", NNNN not above its own`,
  );
}
