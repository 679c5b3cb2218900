import { expect, test } from 'vitest';
import { openDatabase, type Queryable } from '../../src/store/database.ts';
import { migrate, readMigrations, SchemaError, schemaVersions } from '../../src/store/migrate.ts';
import { createTestDatabase } from '../support/postgres.ts';

async function withDatabase(
  work: (at: { url: string; database: Queryable }) => Promise<void>,
): Promise<void> {
  const { url } = await createTestDatabase({ empty: true });
  const database = openDatabase({ url, poolSize: 1, name: 'migrate test' });
  try {
    await work({ url, database });
  } finally {
    await database.close();
  }
}

test('two processes that migrate at once apply each migration once', async () => {
  await withDatabase(async ({ url, database }) => {
    expect((await schemaVersions(database)).present).toBe(0);
    const versions = (await readMigrations()).map(({ version }) => version);
    const applied = await Promise.all([1, 2, 3].map(() => migrate({ connectionString: url })));
    expect(applied.flat().sort((a, b) => a - b)).toEqual(versions);
    const { needed, present } = await schemaVersions(database);
    expect(present).toBe(needed);
  });
});

test('a schema newer than the code is refused and left as it is', async () => {
  await withDatabase(async ({ url, database }) => {
    await migrate({ connectionString: url });
    const newer = `INSERT INTO schema_migration (version, name, checksum) VALUES (9999, '9999_later.sql', 'x')`;
    await database.query({ name: '', text: newer });
    await expect(migrate({ connectionString: url })).rejects.toThrow(SchemaError);
    await expect(migrate({ connectionString: url })).rejects.toThrow(/9999_later\.sql.*newer/s);
  });
});

test('a migration that was applied in another wording is refused', async () => {
  await withDatabase(async ({ url, database }) => {
    await migrate({ connectionString: url });
    await database.query({ name: '', text: `UPDATE schema_migration SET checksum = 'x' WHERE version = 1` });
    await expect(migrate({ connectionString: url })).rejects.toThrow(/another wording/);
  });
});

test('a migration that fails leaves nothing behind', async () => {
  await withDatabase(async ({ url, database }) => {
    // The first migration makes a table of this name.
    await database.query({ name: '', text: 'CREATE TABLE worker (id integer)' });
    await expect(migrate({ connectionString: url })).rejects.toThrow(/already exists/);
    const tables = `SELECT count(*)::integer AS n FROM pg_tables WHERE schemaname = 'public'`;
    expect((await database.query({ name: '', text: tables })).rows).toEqual([{ n: 1 }]);
  });
});
