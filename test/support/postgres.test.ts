import pg from 'pg';
import { expect, test } from 'vitest';
import { createTestDatabase } from './postgres.ts';

async function query<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

test('two test databases are migrated and share nothing', async () => {
  const [one, other] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  expect(await query(one.url, `SELECT to_regclass('chunk')::text AS found`)).toEqual([{ found: 'chunk' }]);
  await query(one.url, 'CREATE TABLE mark (n integer)');
  expect(await query(other.url, `SELECT to_regclass('mark') AS found`)).toEqual([{ found: null }]);
});

test('an empty test database has no schema', async () => {
  const { url } = await createTestDatabase({ empty: true });
  expect(await query(url, `SELECT to_regclass('chunk') AS found`)).toEqual([{ found: null }]);
});

test('dropping a database names the pool that a test left open', async () => {
  const database = await createTestDatabase();
  const pool = new pg.Pool({ connectionString: database.url, application_name: 'forgotten' });
  pool.on('error', () => {});
  await pool.query('SELECT 1');
  await expect(database.drop({ closeMs: 500 })).rejects.toThrow('forgotten (idle): SELECT 1');
  await pool.end();
});
