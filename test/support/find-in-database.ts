import pg from 'pg';
import { decodeChunk } from '../../src/message/chunk-codec.ts';

/**
 * Every place in a database whose bytes hold a text: in texts and JSON, in bytea, and in compressed payloads once they
 * are decompressed. Reads all rows of all tables past the code under test; answers `table.column` for each.
 */
export async function findInDatabase(url: string, text: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const places = new Set<string>();
    for (const table of await tablesOf(client)) {
      const { rows } = await client.query(`SELECT * FROM ${table}`);
      for (const row of rows) {
        for (const [column, value] of Object.entries(row)) {
          if (holds(value, text) || (column === 'payload' && holds(decoded(row), text))) {
            places.add(`${table.replace(/_p\d{8}$/, '')}.${column}`);
          }
        }
      }
    }
    return [...places].sort();
  } finally {
    await client.end();
  }
}

async function tablesOf(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')`,
  );
  return rows.map(({ name }) => name);
}

function holds(value: unknown, text: string): boolean {
  if (value === null || value === undefined) return false;
  if (value instanceof Uint8Array) return Buffer.from(value).includes(text);
  return (typeof value === 'string' ? value : JSON.stringify(value)).includes(text);
}

function decoded(row: { codec: number; payload: Buffer }): Uint8Array {
  return decodeChunk(row.codec, row.payload);
}
