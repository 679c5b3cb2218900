import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readMigrations } from './read-migrations.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-migrations-'));
});

afterEach(() => rm(directory, { recursive: true }));

async function read(files: Record<string, string>): Promise<Record<number, number>> {
  for (const [name, sql] of Object.entries(files)) await writeFile(join(directory, name), sql);
  const migrations = await readMigrations(directory);
  return Object.fromEntries(migrations.map(({ version, compatibleFrom }) => [version, compatibleFrom]));
}

it('a migration that expands keeps the programs before it, one that contracts names the oldest that stays', async () => {
  const known = { '0003_old.sql': 'SELECT 1', '0004_add.sql': '-- expand: a table that nobody reads yet\n' };
  expect(await read({ ...known, '0005_add.sql': '-- expand: an index\n' })).toEqual({ 3: 3, 4: 3, 5: 3 });
  const dropped = '-- contract from 0004: programs before 4 write the column\n';
  expect(await read({ '0006_drop.sql': dropped, '0007_add.sql': '-- expand: x\n' })).toEqual({
    ...{ 3: 3, 4: 3, 5: 3 },
    ...{ 6: 4, 7: 4 },
  });
});

it('a migration that does not say who works beside it is refused by name', async () => {
  await expect(read({ '0004_add.sql': 'SELECT 1' })).rejects.toThrow(/first line of 0004_add\.sql must be/);
  const unmeant = '-- contract from 0006: a program that does not exist yet\n';
  await expect(read({ '0004_add.sql': '-- expand: x\n', '0005_drop.sql': unmeant })).rejects.toThrow(/0005/);
});
