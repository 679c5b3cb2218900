import net from 'node:net';
import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { openDatabase, type Queryable } from '../../src/store/database.ts';
import { migrate, SchemaError } from '../../src/store/migrate.ts';
import { readMigrations } from '../../src/store/read-migrations.ts';
import { schemaMisfit, schemaVersions } from '../../src/store/schema-fit.ts';
import { until } from '../delivery/mill.ts';
import { startCuttingProxy } from '../support/cutting-proxy.ts';
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

test('a process that has to wait until another has migrated says so, and goes on', async () => {
  await withDatabase(async ({ url }) => {
    const other = new pg.Client({ connectionString: url });
    await other.connect();
    onTestFinished(() => other.end());
    await other.query('SELECT pg_advisory_lock(7155921)');
    const said: string[] = [];
    const migrated = migrate({ connectionString: url, onWait: (what) => void said.push(what) });
    await until(() => said.length > 0);
    await other.query('SELECT pg_advisory_unlock(7155921)');
    expect((await migrated).length).toBeGreaterThan(0);
    expect(said[0]).toContain('another process');
  });
});

test('a primary that falls silent while a server starts is known as one long before a migration may take', async () => {
  await withDatabase(async ({ url }) => {
    await migrate({ connectionString: url });
    const proxy = await startFallingSilent(url, 'server_version_num');
    onTestFinished(() => proxy.stop());
    const starting = migrate({ connectionString: proxy.url, statementTimeoutMs: 100 });
    await expect(starting).rejects.toMatchObject({ fault: { connectionLost: true } });
  });
});

/** Passes everything on until a client says a word, and nothing more of that connection. */
async function startFallingSilent(
  url: string,
  word: string,
): Promise<{ url: string; stop(): Promise<void> }> {
  const target = new URL(url);
  const sockets = new Set<net.Socket>();
  const server = net.createServer((client) => {
    const upstream = net.connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => {}));
    let silent = false;
    client.on('data', (bytes) => {
      silent ||= bytes.includes(word);
      if (!silent) upstream.write(bytes);
    });
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  target.hostname = '127.0.0.1';
  target.port = String((server.address() as net.AddressInfo).port);
  return {
    url: target.href,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('a newer schema is left to go on beside, if it says that it works with this program, and refused if not', async () => {
  await withDatabase(async ({ url, database }) => {
    await migrate({ connectionString: url });
    const { needed } = await schemaVersions(database);
    const add = (version: number, compatibleFrom: number) =>
      database.query(
        {
          name: '',
          text: `INSERT INTO schema_migration (version, name, checksum, compatible_from)
            VALUES ($1::integer, $1::integer || '_later.sql', 'x', $2)`,
        },
        [version, compatibleFrom],
      );
    await add(9_000, needed);
    expect(await migrate({ connectionString: url })).toEqual([]);
    expect(schemaMisfit(await schemaVersions(database))).toBeNull();
    await add(9_001, needed + 1);
    await expect(migrate({ connectionString: url })).rejects.toThrow(/from version \d+ on; this one is of/);
    expect(schemaMisfit(await schemaVersions(database))).toContain(
      `version 9001, which works with programs from version ${needed + 1} on`,
    );
    // What shut a program out once keeps it out.
    await add(9_002, needed);
    expect(schemaMisfit(await schemaVersions(database))).toContain(`from version ${needed + 1} on`);
  });
});

test('a database that an older program made gets the column that tells who works with it', async () => {
  await withDatabase(async ({ url, database }) => {
    await migrate({ connectionString: url });
    const { needed } = await schemaVersions(database);
    await database.query({ name: '', text: 'ALTER TABLE schema_migration DROP COLUMN compatible_from' });
    expect(await schemaVersions(database)).toEqual({ needed, present: needed, compatibleFrom: needed });
    expect(await migrate({ connectionString: url })).toEqual([]);
    const { rows } = await database.query({
      name: '',
      text: 'SELECT compatible_from FROM schema_migration WHERE version = 1',
    });
    expect(rows).toEqual([{ compatible_from: null }]);
  });
});

test('a migration that waits for a table lets others use it, and goes on when it is free', async () => {
  await withDatabase(async ({ url, database }) => {
    const [first, second] = await readMigrations();
    for (const { sql } of [first!, second!]) await database.query({ name: '', text: sql });
    await database.query({
      name: '',
      text: 'CREATE TABLE schema_migration (version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())',
    });
    for (const { version, name, checksum } of [first!, second!]) {
      const text = 'INSERT INTO schema_migration (version, name, checksum) VALUES ($1, $2, $3)';
      await database.query({ name: '', text }, [version, name, checksum]);
    }
    const user = new pg.Client({ connectionString: url });
    await user.connect();
    try {
      await user.query('BEGIN; LOCK TABLE outcome IN ROW EXCLUSIVE MODE');
      const migrating = migrate({ connectionString: url });
      await until(async () => {
        const waiting = `SELECT FROM pg_locks WHERE relation = 'outcome'::regclass AND NOT granted`;
        return (await user.query(waiting)).rows.length > 0;
      });
      // Behind the migration in the queue, while the table is still in use.
      await database.query({ name: '', text: 'DELETE FROM outcome WHERE false' });
      await user.query('COMMIT');
      expect(await migrating).toContain(3);
    } finally {
      await user.end();
    }
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

test('migrating prepares nothing by name, which an old PgBouncer would give to a connection that has it already', async () => {
  await withDatabase(async ({ url }) => {
    const sent: Buffer[] = [];
    const witness = () => ({ sent: (bytes: Buffer) => void sent.push(bytes), answered() {}, ended() {} });
    const proxy = await startCuttingProxy(url, { witness });
    await migrate({ connectionString: proxy.url });
    await proxy.stop();
    // A Parse message: its length in four bytes, then the statement's name.
    const parsed = /P\0\0[\s\S]{2}([a-z_]*)\0/g;
    const names = [...Buffer.concat(sent).toString('latin1').matchAll(parsed)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => name !== '')).toEqual([]);
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
