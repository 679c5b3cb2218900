import { expect, onTestFinished } from 'vitest';
import { openDatabase } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { readMigrations } from '../../src/store/read-migrations.ts';
import { schemaVersions } from '../../src/store/schema-fit.ts';
import { needs } from '../support/needs.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startPgBouncer } from '../support/start-pgbouncer.ts';

const needsPooler = needs('pgbouncer');

needsPooler('a server starts through PgBouncer in transaction mode, and starts again', async () => {
  const { url } = await createTestDatabase({ empty: true });
  const pooler = await startPgBouncer(url);
  onTestFinished(() => pooler.stop());
  const settings = { connectionString: pooler.url };
  const versions = (await readMigrations()).map(({ version }) => version);
  expect(await migrate(settings)).toEqual(versions);
  expect(await migrate(settings)).toEqual([]);

  const database = openDatabase({ url: pooler.url, name: 'pooled', poolSize: 4, namedStatements: false });
  onTestFinished(() => database.close());
  // More at once than one connection of the server bears: several of them see the same statement.
  const answers = await Promise.all(Array.from({ length: 12 }, () => schemaVersions(database)));
  const newest = { needed: versions.at(-1), present: versions.at(-1) };
  expect(answers).toEqual(answers.map(() => expect.objectContaining(newest)));
});
