import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Diagnosis, examine } from '../../src/doctor/examine.ts';
import { type EmbeddedServer, startEmbedded } from '../../src/embedded/start-embedded.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { runCli } from '../support/run-cli.ts';
import { killProcesses, startProcess } from '../support/start-process.ts';

let dataDir: string;
let server: EmbeddedServer;
let database: Database;
let diagnosis: Diagnosis;

/** A server on which everything is set wrong, and things were left behind. */
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'millrace-doctor-'));
  server = await startEmbedded({
    dataDir,
    settings: {
      fsync: false,
      full_page_writes: false,
      synchronous_commit: 'local',
      synchronous_standby_names: 'away',
      autovacuum: false,
      track_counts: false,
      max_prepared_transactions: 5,
      max_connections: 20,
    },
  });
  await migrate({ connectionString: server.url });
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  await client.query(`SELECT pg_create_physical_replication_slot('nobody', true)`);
  await client.query('BEGIN');
  await client.query('CREATE TABLE left_behind (n int)');
  await client.query(`PREPARE TRANSACTION 'it''s lost'`);
  await client.end();
  database = openDatabase({ url: server.url, poolSize: 1, name: 'doctor test' });
  diagnosis = await examineNow();
});

afterAll(async () => {
  killProcesses();
  await database.close();
  await server.stop();
  await rm(dataDir, { recursive: true, force: true });
});

function examineNow(): Promise<Diagnosis> {
  const limits = {
    leaseMs: 1_000,
    retentionDays: 56,
    connectionsNeeded: 18,
    replicaUrls: [],
    namedStatements: true,
    oldTransactionMs: 0,
  };
  return examine({
    database,
    databaseUrl: server.url,
    clock: systemClock,
    dataDir,
    ...limits,
    signal: new AbortController().signal,
  });
}

function findingsOf({ findings }: Diagnosis, check: string): string[] {
  return findings
    .filter((finding) => finding.check === check)
    .map(({ severity, summary }) => `${severity}: ${summary}`);
}

test.each([
  ['durability', /^error: fsync is off/],
  ['durability', /^error: full_page_writes is off/],
  ['autovacuum', /^error: autovacuum is off/],
  ['autovacuum', /^error: track_counts is off/],
  ['replication', /^warning: .*synchronous_commit = local waits for no standby/],
  ['replication-slots', /^warning: nobody follows the slot nobody/],
  ['prepared-transactions', /^warning: the transaction 'it's lost' of millrace/],
  ['connections', /^error: .*take 18/],
])('%s: %s', (check, words) => {
  expect(findingsOf(diagnosis, check).join('\n')).toMatch(new RegExp(words.source, 'm'));
});

test('every error and warning has its mend, and the commands among them mend', async () => {
  expect(diagnosis.ok).toBe(false);
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  // Two findings may have one cause, and so one mend.
  const commands = new Set<string>();
  for (const { severity, mend } of diagnosis.findings) {
    if (severity === 'error' || severity === 'warning') expect(mend).toBeTruthy();
    for (const command of mend?.match(
      /(ALTER SYSTEM SET (fsync|full_page_writes|autovacuum|track_counts)|ROLLBACK PREPARED|SELECT pg_drop)[^;]*;/g,
    ) ?? []) {
      commands.add(command);
    }
  }
  for (const command of commands) await client.query(command);
  await client.query('SELECT pg_reload_conf()');
  await client.end();
  await expect
    .poll(async () => {
      const again = await examineNow();
      return ['durability', 'autovacuum', 'replication-slots', 'prepared-transactions'].flatMap((check) =>
        findingsOf(again, check).map((finding) => finding.split(':')[0]),
      );
    })
    .toEqual(['ok', 'ok', 'ok', 'ok']);
});

test('a standby that is waited for and is not there is an error: every COMMIT waits', async () => {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  await client.query('ALTER DATABASE millrace SET synchronous_commit = on');
  await client.end();
  const fresh = openDatabase({ url: server.url, poolSize: 1, name: 'doctor test' });
  const { findings } = await examine({
    database: fresh,
    databaseUrl: server.url,
    clock: systemClock,
    dataDir,
    ...{
      leaseMs: 1_000,
      retentionDays: 56,
      connectionsNeeded: 5,
      replicaUrls: [],
      namedStatements: true,
      oldTransactionMs: 60_000,
    },
    signal: new AbortController().signal,
  });
  await fresh.close();
  expect(findings).toContainEqual(
    expect.objectContaining({
      check: 'replication',
      severity: 'error',
      summary: expect.stringContaining('every COMMIT waits'),
    }),
  );
});

test('a server as it is started finds nothing wrong with itself, in words and as JSON', async () => {
  const own = await mkdtemp(join(tmpdir(), 'millrace-doctor-'));
  const millrace = await startProcess(['serve', '--port', '0', '--data', own, '--log-level', 'warn']);
  try {
    const { out, status } = await runCli(['doctor', '--data', own, '--json']);
    const { ok, findings } = JSON.parse(out) as Diagnosis;
    expect(findings.filter(({ severity }) => severity === 'error' || severity === 'warning')).toEqual([]);
    expect([status, ok]).toEqual([0, true]);
    const text = await runCli(['doctor', '--data', own]);
    expect(text.out).toMatch(/^ok +durability: /m);
    await millrace.stop();
    const alone = await runCli(['doctor', '--data', own]);
    expect(alone.status).toBe(1);
    expect(alone.out).toMatch(/^warning +leases: no worker runs.*\n +mend: millrace serve/m);
    expect(alone.err).toMatch(/1 thing to mend: leases/);
  } finally {
    killProcesses();
    await rm(own, { recursive: true, force: true });
  }
});
