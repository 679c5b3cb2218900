import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Check, DoctorContext, Finding } from '../../src/doctor/check.ts';
import { changeFeed } from '../../src/doctor/checks/change-feed.ts';
import { clock } from '../../src/doctor/checks/clock.ts';
import { connections } from '../../src/doctor/checks/connections.ts';
import { disk } from '../../src/doctor/checks/disk.ts';
import { fileDescriptors } from '../../src/doctor/checks/file-descriptors.ts';
import { leases } from '../../src/doctor/checks/leases.ts';
import { oldTransactions } from '../../src/doctor/checks/old-transactions.ts';
import { orderingBacklog } from '../../src/doctor/checks/ordering-backlog.ts';
import { partitions } from '../../src/doctor/checks/partitions.ts';
import { pendingSize } from '../../src/doctor/checks/pending-size.ts';
import { schema } from '../../src/doctor/checks/schema.ts';
import { serverVersion } from '../../src/doctor/checks/server-version.ts';
import { unfinishedChunks } from '../../src/doctor/checks/unfinished-chunks.ts';
import { type Diagnosis, examine } from '../../src/doctor/examine.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { openDatabase } from '../../src/store/database.ts';
import { newId, until } from '../delivery/mill.ts';
import { createTestDatabase } from '../support/postgres.ts';

let url: string;
let client: pg.Client;
let context: DoctorContext;

beforeEach(async () => {
  ({ url } = await createTestDatabase());
  client = new pg.Client({ connectionString: url, application_name: 'doctor test' });
  await client.connect();
  context = {
    database: openDatabase({ url, poolSize: 2, name: 'doctor test' }),
    databaseUrl: url,
    clock: systemClock,
    dataDir: tmpdir(),
    leaseMs: 1_000,
    retentionDays: 56,
    connectionsNeeded: 13,
    replicaUrls: [],
    namedStatements: true,
    oldTransactionMs: 50,
    signal: new AbortController().signal,
  };
});

afterEach(async () => {
  await client.end();
  await context.database.close();
});

async function look(check: Check, more: Partial<DoctorContext> = {}): Promise<Finding> {
  const [first, ...others] = await check.run({ ...context, ...more });
  expect(others).toEqual([]);
  if (first!.severity === 'error' || first!.severity === 'warning') expect(first!.mend).toBeTruthy();
  return first!;
}

test('what is well is said to be', async () => {
  for (const check of [
    serverVersion,
    schema,
    partitions,
    unfinishedChunks,
    orderingBacklog,
    pendingSize,
    clock,
    connections,
  ]) {
    expect(await look(check)).toMatchObject({ severity: 'ok' });
  }
});

test('a transaction of another database that holds back the change feed is named by its pid, and its mend ends it', async () => {
  const other = new pg.Client({ connectionString: (await createTestDatabase({ empty: true })).url });
  other.on('error', () => {});
  await other.connect();
  await other.query('BEGIN');
  await other.query('SELECT pg_current_xact_id()');
  const { rows } = await other.query<{ pid: number; name: string }>(
    'SELECT pg_backend_pid() AS pid, current_database() AS name',
  );
  const { pid, name } = rows[0]!;
  // Others use the server too: an older transaction of theirs is told of until it ends.
  const named = async () =>
    (await changeFeed.run(context)).find(({ summary }) => summary.includes(`pid ${pid} `));
  await until(async () => (await named()) !== undefined);
  const finding = (await named())!;
  expect(finding.severity).toBe('warning');
  expect(finding.summary).toMatch(new RegExp(`database ${name} .*v1/events shows nothing`));
  await client.query(/SELECT pg_terminate_backend\(\d+\);/.exec(finding.mend!)![0]);
  await until(async () => (await named()) === undefined);
});

test('a transaction that is left idle is named by its pid, and its mend ends it', async () => {
  const idle = new pg.Client({ connectionString: url });
  idle.on('error', () => {});
  await idle.connect();
  await idle.query('BEGIN');
  await idle.query('SELECT pg_current_xact_id()');
  const { rows } = await idle.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const { pid } = rows[0]!;
  const named = async () =>
    (await oldTransactions.run(context)).find(({ summary }) => summary.includes(`pid ${pid} `));
  await until(async () => (await named()) !== undefined);
  const finding = (await named())!;
  expect(finding.severity).toBe('warning');
  expect(finding.summary).toMatch(/idle in transaction.*holds back/);
  await client.query(/SELECT pg_terminate_backend\(\d+\);/.exec(finding.mend!)![0]);
  await until(async () => (await named()) === undefined);
  await idle.end().catch(() => {});
});

test('partitions that nobody made ahead are missed', async () => {
  const day = (ahead: number) =>
    new Date(Date.now() + ahead * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '');
  await client.query(`DROP TABLE outcome_p${day(4)}`);
  expect(await look(partitions)).toMatchObject({
    severity: 'warning',
    summary: expect.stringContaining('outcome'),
  });
  await client.query(`DROP TABLE outcome_p${day(0)}`);
  expect(await look(partitions)).toMatchObject({
    severity: 'error',
    summary: expect.stringContaining('today'),
  });
});

test('chunks that are unfinished for too long are named by account and route', async () => {
  await client.query(
    `INSERT INTO route (id, name, connector, options, concurrency, retry, on_uncertain, paused)
      VALUES (1, 'sms', 'http', '{}', 1, '{}', 'resend', true)`,
  );
  const insert = (ageDays: number) =>
    client.query(
      `INSERT INTO pending (due_at, account_id, route_id, shard, priority, count, chunk_id) VALUES (now(), 1, 1, 5, 1, 1, $1)`,
      [newId(5, Date.now() - ageDays * 86_400_000)],
    );
  await insert(1);
  expect((await look(unfinishedChunks)).severity).toBe('ok');
  await insert(3);
  expect(await look(unfinishedChunks)).toMatchObject({
    severity: 'info',
    summary: expect.stringMatching(/^1 .*account default on route sms \(paused\)/),
    mend: expect.stringContaining('millrace route resume sms'),
  });
  await insert(60);
  expect((await look(unfinishedChunks)).severity).toBe('warning');
  await client.query('UPDATE route SET paused = false');
  expect((await look(unfinishedChunks)).mend).toContain('millrace route test sms');
  await client.query(`UPDATE route SET connector = 'webhook'`);
  expect((await look(unfinishedChunks)).mend).toContain('millrace webhook list');
});

test('a held batch behind which all later messages with ordering keys of its account wait is named', async () => {
  const batch = newId(7);
  const insert = (chunks: number, held: string | null, shard = 5) =>
    client.query(
      `INSERT INTO pending (due_at, account_id, route_id, shard, priority, count, batch, chunk_id, ordered, ordering)
        SELECT 'infinity', 1, 1, $3, 1, 1000, $2::uuid, gen_random_uuid(), n, ''
        FROM generate_series(1, $1::int) AS n`,
      [chunks, held, shard],
    );
  await insert(195, batch);
  expect((await look(orderingBacklog)).severity).toBe('ok');
  await insert(2, null);
  expect(await look(orderingBacklog)).toMatchObject({
    severity: 'warning',
    summary: expect.stringMatching(/^account default has 197000 unfinished .* on 1 shards/),
    mend: expect.stringContaining(`millrace batch show ${batch}`),
  });
  // What a worker has of all together leaves less room for each.
  for (const shard of [6, 7, 8, 9]) await insert(195, batch, shard);
  await insert(30, batch, 10);
  await insert(10, batch, 11);
  expect((await look(orderingBacklog)).summary).toMatch(/ has 1007000 unfinished .* on 6 shards/);
});

test('a hot table full of dead rows, or without autovacuum, is found', async () => {
  await client.query(
    `INSERT INTO pending (due_at, account_id, route_id, shard, priority, count, chunk_id)
      SELECT now(), 1, 1, 5, 1, 1, gen_random_uuid() FROM generate_series(1, 30000)`,
  );
  await client.query('ALTER TABLE pending SET (autovacuum_enabled = false)');
  expect(await look(pendingSize)).toMatchObject({
    severity: 'error',
    mend: 'ALTER TABLE pending RESET (autovacuum_enabled);',
  });
  await client.query('DELETE FROM pending');
  await client.query('SELECT pg_stat_force_next_flush()');
  await until(async () => (await pendingSize.run(context)).length === 2);
  const [, dead] = await pendingSize.run(context);
  expect(dead).toMatchObject({ severity: 'warning', summary: expect.stringContaining('30000 dead rows') });
});

test('a schema that is behind is told, with the command that brings it up', async () => {
  await client.query(
    'DELETE FROM schema_migration WHERE version = (SELECT max(version) FROM schema_migration)',
  );
  expect(await look(schema)).toMatchObject({ severity: 'error', mend: 'millrace migrate' });
});

test('a clock that differs from the database’s is told, and by how much', async () => {
  const late = { ...systemClock, nowMs: () => Date.now() - 90_000 };
  const finding = await look(clock, { clock: late });
  expect(finding).toMatchObject({
    severity: 'warning',
    summary: expect.stringMatching(/(89|90)\.\d+ s behind/),
  });
});

test('shards without a worker, silent workers and no worker at all are three findings', async () => {
  expect(await look(leases)).toMatchObject({
    severity: 'warning',
    summary: expect.stringContaining('no worker runs'),
  });
  const id = '7d1f6f5e-1111-4222-8333-444455556666';
  await client.query(`INSERT INTO worker (id, beat, host, pid) VALUES ($1, 1, 'elsewhere', 4711)`, [id]);
  await client.query('UPDATE shard_owner SET worker = $1 WHERE shard < 1000', [id]);
  const findings = await leases.run(context);
  expect(findings).toEqual([
    expect.objectContaining({ severity: 'warning', summary: expect.stringContaining('4711 on elsewhere') }),
    expect.objectContaining({ severity: 'error', summary: expect.stringContaining('24 shards') }),
  ]);
});

test('pools that ask for more connections than the database has are told before they meet its limit', async () => {
  expect(await look(connections, { connectionsNeeded: 5_000 })).toMatchObject({ severity: 'error' });
});

test.skipIf(process.platform !== 'linux')('a worker that may open few files is told', async () => {
  const child = spawn('/bin/sh', ['-c', 'ulimit -n 256; exec sleep 60'], { stdio: 'ignore' });
  try {
    await client.query(
      `INSERT INTO worker (id, beat, host, pid) VALUES ('7d1f6f5e-1111-4222-8333-444455556666', 1, $1, $2)`,
      [hostname(), child.pid],
    );
    await until(async () => (await look(fileDescriptors)).severity === 'warning');
    expect((await look(fileDescriptors)).summary).toContain(`process ${child.pid} may open 256`);
  } finally {
    child.kill('SIGKILL');
  }
});

const tools = { mount: 'mount', unmount: 'umount' };
const mayMount = process.platform === 'linux' && process.getuid?.() === 0;

test.skipIf(!mayMount)(
  'a data directory on a disk that is nearly full is told [needs root on Linux]',
  async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'millrace-disk-'));
    let mounted = false;
    try {
      execFileSync(tools.mount, ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', dataDir]);
      mounted = true;
      const findings = await disk.run({ ...context, dataDir });
      const summary = expect.stringContaining(`0.1 GiB are free for ${dataDir}`);
      expect(findings).toContainEqual({ severity: 'error', summary, mend: expect.any(String) });
    } finally {
      if (mounted) execFileSync(tools.unmount, [dataDir]);
      await rm(dataDir, { recursive: true });
    }
  },
);

test('a database that cannot be reached is the one finding', async () => {
  const database = openDatabase({
    url: 'postgres://nobody@127.0.0.1:1/none',
    poolSize: 1,
    name: 'doctor test',
  });
  const { ok, findings } = await examine({ ...context, database });
  await database.close();
  expect([ok, findings.map(({ check }) => check)]).toEqual([false, ['connection']]);
});

test('a check that fails is a finding, and the others are made all the same', async () => {
  await client.query('DROP TABLE pending');
  const { ok, findings } = await examine(context);
  expect(ok).toBe(false);
  expect(findings).toContainEqual(
    expect.objectContaining({
      check: 'pending-size',
      severity: 'warning',
      summary: expect.stringContaining('could not'),
    }),
  );
  expect(findings).toContainEqual(expect.objectContaining({ check: 'schema', severity: 'ok' }));
});

test.each([
  ['DATABASE', () => ''],
  ['ROLE', (database: string) => ` IN DATABASE ${database}`],
])(
  'a database that is read-only is the first finding, what comes of it is none, and its mend mends: by %s',
  async (kind, where) => {
    const { rows } = await client.query<{ name: string; role: string }>(
      'SELECT current_database() AS name, current_user AS role',
    );
    const { name, role } = rows[0]!;
    const whose = kind === 'ROLE' ? role : name;
    await client.query(
      `INSERT INTO worker (id, beat, host, pid) VALUES ('7d1f6f5e-1111-4222-8333-444455556666', 1, 'elsewhere', 4711)`,
    );
    await insertWaiting();
    await client.query(`ALTER ${kind} ${whose}${where(name)} SET default_transaction_read_only = on`);
    const { findings } = await examineAnew();
    expect(findings[0]).toMatchObject({
      ...{ check: 'writable', severity: 'error', summary: expect.stringContaining('read-only') },
      mend: expect.stringContaining('disk'),
    });
    expect(findings.map(({ check }) => check)).not.toContain('leases');
    expect(findings.map(({ summary }) => summary).join()).not.toContain('could not be looked at');
    const commands = /SET default.*/.exec(findings[0]!.mend!)![0];
    for (const command of commands.split(/(?<=;) /)) await client.query(command);
    expect((await examineAnew()).findings[0]).toMatchObject({ check: 'writable', severity: 'ok' });
  },
);

/** A message on a route, for which workers are asked to report. */
async function insertWaiting(): Promise<void> {
  await client.query(
    `INSERT INTO route (id, name, connector, options, concurrency, retry, on_uncertain)
      VALUES (1, 'sms', 'http', '{}', 1, '{}', 'resend')`,
  );
  await client.query(
    `INSERT INTO pending (due_at, account_id, route_id, shard, priority, count, chunk_id)
      VALUES (now(), 1, 1, 5, 1, 1, $1)`,
    [newId(5)],
  );
}

/** By connections that have the settings of now. */
async function examineAnew(): Promise<Diagnosis> {
  const database = openDatabase({ url, poolSize: 1, name: 'doctor test' });
  try {
    return await examine({ ...context, database });
  } finally {
    await database.close();
  }
}
