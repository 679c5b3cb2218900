import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startEmbedded } from '../../src/embedded/start-embedded.ts';
import { migrate } from '../../src/store/migrate.ts';
import { databaseUrl } from './database-url.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A server for this run of tests, as one who may create databases. */
    postgresUrl: string;
    /** A migrated database to clone; nobody connects to it. */
    templateDatabase: string;
  }
}

/** Once for each run: a server, or the one that MILLRACE_TEST_DATABASE_URL names, with a migrated template. */
export default async function sharedPostgres(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env.MILLRACE_TEST_DATABASE_URL;
  const server = given ? { url: given, close: async () => {} } : await startServer();
  const template = `millrace_template_${process.pid}`;
  try {
    await execute(server.url, `CREATE DATABASE ${template} TEMPLATE template0`);
    await migrate({ connectionString: databaseUrl(server.url, template) });
  } catch (error) {
    await server.close();
    throw error;
  }
  project.provide('postgresUrl', server.url);
  project.provide('templateDatabase', template);
  return async () => {
    await execute(server.url, `DROP DATABASE ${template} WITH (FORCE)`);
    await server.close();
  };
}

async function startServer(): Promise<{ url: string; close(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'millrace-tests-'));
  const { url, stop } = await startEmbedded({
    dataDir,
    // Nothing here outlives a crash; tests of durability start servers of their own.
    settings: { fsync: false, full_page_writes: false, max_connections: 300 },
  });
  return {
    url,
    async close() {
      await stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'millrace tests' });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
