import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { inject } from 'vitest';
import { databaseUrl } from './database-url.ts';

export interface TestDatabase {
  url: string;
  /**
   * Drops the database; rejects, naming them, when connections to it are still open after a while. Happens by itself
   * at the end of the file.
   */
  drop(settings?: { closeMs?: number }): Promise<void>;
}

/** Less than a pool keeps what it does not use. */
const connectionsCloseMs = 8_000;
const pollMs = 20;
const open = new Set<TestDatabase>();

/**
 * A database for the tests of one file: migrated, empty, its own.
 * With `empty` it has no schema at all, for tests of the migrations.
 */
export async function createTestDatabase(options: { empty?: boolean } = {}): Promise<TestDatabase> {
  const serverUrl = inject('postgresUrl');
  const template = options.empty ? 'template0' : inject('templateDatabase');
  const name = `millrace_test_${randomBytes(6).toString('hex')}`;
  // Copying its hundreds of small files takes a quarter of the work of writing each of their pages to the log as well.
  await withClient(serverUrl, (client) =>
    client.query(`CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY file_copy`),
  );
  const database: TestDatabase = {
    url: databaseUrl(serverUrl, name),
    async drop({ closeMs = connectionsCloseMs } = {}) {
      if (!open.delete(database)) return;
      await withClient(serverUrl, async (client) => {
        const leaked = await connectionsLeft(client, { database: name, closeMs });
        await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
        if (leaked.length > 0)
          throw new Error(`connections left open, not closed by the test:\n${leaked.join('\n')}`);
      });
    },
  };
  open.add(database);
  return database;
}

/** Drops what the file's tests did not; fails when one of them leaked a connection. */
export async function dropTestDatabases(): Promise<void> {
  const results = await Promise.allSettled([...open].map((database) => database.drop()));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

/** A socket that was closed a moment ago is still a connection on the server, so they get a moment to go. */
async function connectionsLeft(
  client: pg.Client,
  { database, closeMs }: { database: string; closeMs: number },
): Promise<string[]> {
  const deadline = performance.now() + closeMs;
  for (;;) {
    const { rows } = await client.query<{ name: string; state: string; query: string }>(
      `SELECT application_name AS name, state, left(query, 200) AS query FROM pg_stat_activity
        WHERE datname = $1 AND backend_type = 'client backend'`,
      [database],
    );
    if (rows.length === 0 || performance.now() > deadline) {
      return rows.map(({ name, state, query }) => `${name || 'unnamed'} (${state}): ${query}`);
    }
    await sleep(pollMs);
  }
}

async function withClient<Result>(
  url: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString: url, application_name: 'millrace tests' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
