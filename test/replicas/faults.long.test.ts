import pg from 'pg';
import { afterAll, expect, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { parsePosition } from '../../src/lib/log-position.ts';
import { openDatabase } from '../../src/store/database.ts';
import { openReplicas } from '../../src/store/replicas/open-replicas.ts';
import { until } from '../delivery/mill.ts';
import { queryValue } from '../embedded/query.ts';
import type { ClusterServer } from '../support/cluster.ts';
import { needs } from '../support/needs.ts';
import { killProcesses } from '../support/start-process.ts';
import { adminKey, type ReplicatedServer, startReplicated } from './replicated-server.ts';

/** Servers are copied and started, two cores for all of them. */
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const withCluster = needs('initdb', 'pg_ctl', 'pg_basebackup', 'psql');

/** One site for all tests, in this order: the last one replaces its primary. */
let site: ReplicatedServer | undefined;

async function theSite(): Promise<ReplicatedServer & { primary: ClusterServer }> {
  site ??= await startReplicated({ delaysMs: [0, 0], failover: true });
  const { cluster, figures } = site;
  await cluster.primary.ask('GRANT pg_read_all_stats TO millrace');
  await until(async () => [...(await figures('millrace_replica_used')).values()].every((used) => used === 1));
  return { ...site, primary: cluster.primary };
}

afterAll(async () => {
  await site?.close();
  killProcesses();
});

/** Reads of chunks on a standby take for ever while the one row of a table says so. */
const slowReads = [
  'CREATE TABLE slow_reads AS SELECT false AS on_standby',
  'ALTER TABLE slow_reads OWNER TO millrace',
  `CREATE POLICY slow_reads ON chunk USING (
     NOT pg_is_in_recovery() OR NOT (SELECT on_standby FROM slow_reads) OR pg_sleep(60) IS NOT NULL)`,
  'ALTER TABLE chunk ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
];

async function slowDown({ primary, standbys }: { primary: ClusterServer; standbys: ClusterServer[] }) {
  await primary.ask('UPDATE slow_reads SET on_standby = true');
  await until(async () => (await asked(standbys, 'SELECT on_standby FROM slow_reads')).every(Boolean));
}

/** What each of them answers. */
function asked(servers: readonly ClusterServer[], sql: string): Promise<unknown[]> {
  return Promise.all(servers.map(({ url }) => queryValue(url, sql)));
}

async function sum(servers: readonly ClusterServer[], sql: string): Promise<number> {
  return (await asked(servers, sql)).reduce<number>((total, value) => total + Number(value), 0);
}

const sleeping = `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'`;
const attemptsMaxMs = 300_000;
const conflicts = 'SELECT confl_snapshot FROM pg_stat_database_conflicts WHERE datname = current_database()';

/**
 * Resolves when all reads that were under way on the standbys have had to make way for a vacuum of the primary. Its
 * statements have a connection that is there already: to start a program for each takes seconds on a busy machine, and
 * after ten a read ends by its own time limit, which is no conflict and is not repeated.
 */
async function conflict({ primary, standbys }: { primary: ClusterServer; standbys: ClusterServer[] }) {
  const owner = new pg.Client({ connectionString: primary.url });
  await owner.connect();
  try {
    await until(async () => (await sum(standbys, sleeping)) > 0);
    await until(async () => {
      // One that found the old row visible to somebody leaves it to the next.
      await owner.query('UPDATE slow_reads SET on_standby = false');
      await owner.query('VACUUM slow_reads');
      return (await sum(standbys, sleeping)) === 0;
    });
  } finally {
    await owner.end();
  }
}

withCluster(
  'a read that a standby cancels for what it replays is answered by the primary, and an export goes on',
  async () => {
    const { primary, standbys, server, get, send, figures } = await theSite();
    for (const sql of slowReads) await primary.ask(sql);
    for (const standby of standbys) {
      await standby.ask(`ALTER SYSTEM SET max_standby_streaming_delay = 0`);
      await standby.ask('SELECT pg_reload_conf()');
    }
    const { id } = await send();
    const repeated = async () =>
      [...(await figures('millrace_reads_repeated_total')).values()].reduce(
        (total, count) => total + count,
        0,
      );
    const lines = 24_000;
    const made = await upload(server.url, lines);
    const authorization = `Bearer ${adminKey}`;
    const once = async () => {
      const answer = await fetch(`${server.url}/v1/batches/${made}/export`, { headers: { authorization } });
      expect(answer.status).toBe(200);
      const reader = answer.body!.getReader();
      const parts = [(await reader.read()).value!];

      await slowDown({ primary, standbys });
      const reading = get(`/v1/messages/${id}`);
      const exporting = (async () => {
        for (let next = await reader.read(); !next.done; next = await reader.read()) parts.push(next.value);
        return Buffer.concat(parts).toString('utf8').trimEnd().split('\n');
      })();
      await conflict({ primary, standbys });
      expect(await reading).toMatchObject({ status: 200, json: { id } });
      const exported = await exporting;
      expect(JSON.parse(exported.at(-1)!)).toMatchObject({ trailer: { count: lines } });
      expect(exported).toHaveLength(lines + 1);
    };
    // On a busy machine a standby may seem silent before it cancels anything, and it counts what it canceled later.
    await until(async () => {
      await once();
      return (await sum(standbys, conflicts)) >= 2;
    }, attemptsMaxMs);
    expect(await repeated()).toBeGreaterThanOrEqual(2);
  },
);

/** A batch of so many messages that its export does not fit into what lies between server and reader; its id. */
async function upload(url: string, lines: number): Promise<string> {
  const line = JSON.stringify({ to: '+31612345678', body: 'x'.repeat(1_000) });
  const answer = await fetch(`${url}/v1/batches?route=nowhere`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/x-ndjson' },
    body: `${line}\n`.repeat(lines),
  });
  expect(answer.status).toBe(201);
  return ((await answer.json()) as { id: string }).id;
}

withCluster('a read does not wait for the locks of a standby that does not get to their end', async () => {
  const { primary, standbys, get, send } = await theSite();
  const { id } = await send();
  const locking = new pg.Client({ connectionString: primary.url });
  await locking.connect();
  onTestFinished(() => locking.end());
  await locking.query('BEGIN; LOCK TABLE chunk IN ACCESS EXCLUSIVE MODE');
  const locks = `SELECT count(*) FROM pg_locks WHERE relation = 'chunk'::regclass AND mode = 'AccessExclusiveLock'`;
  await until(async () => (await sum(standbys, locks)) === standbys.length);
  for (const standby of standbys) await standby.ask('SELECT pg_wal_replay_pause()');
  const states = () => asked(standbys, 'SELECT pg_get_wal_replay_pause_state()');
  await until(async () => (await states()).every((state) => state === 'paused'));
  await locking.query('ROLLBACK');
  const answer = await get(`/v1/messages/${id}`);
  expect(await sum(standbys, locks)).toBe(standbys.length);
  for (const standby of standbys) await standby.ask('SELECT pg_wal_replay_resume()');
  expect(answer).toMatchObject({ status: 200, json: { id } });
});

withCluster('a replica that falls silent is left out while reads are answered, and comes back', async () => {
  const { standbys, get, send, figures } = await theSite();
  const silent = standbys[1]!;
  const sent = await Promise.all(Array.from({ length: 4 }, send));
  for (const { token } of sent) {
    await until(async () => (await asked(standbys, holds(token))).every((held) => held === true));
  }
  const used = async () => (await figures('millrace_replica_used')).get(String(silent.port));
  await silent.freeze();
  onTestFinished(() => silent.thaw());
  await until(async () => {
    const answers = await Promise.all(sent.map(({ id }) => get(`/v1/messages/${id}`)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    return (await used()) === 0;
  });
  await silent.thaw();
  await until(async () => (await used()) === 1);
});

withCluster(
  'after a failover what was lost is not taken for replayed, its reader is told, and a replica of the new primary serves',
  async () => {
    const { primary, standbys, get, send, reads, figures } = await theSite();
    const [next, follower] = standbys as [ClusterServer, ClusterServer];
    const kept = await send();
    for (const standby of standbys) {
      await until(async () => (await queryValue(standby.url, holds(kept.token))) === true);
      await followNobody(standby);
    }
    const lost = await send();
    expect((await get(`/v1/messages/${lost.id}`, lost.token)).status).toBe(200);
    await primary.stop('immediate');
    await next.ask('SELECT pg_promote()');
    await follow(follower, next);
    let made: { id: string; token: string } | undefined;
    await until(async () => {
      made = await send().catch(() => undefined);
      return made !== undefined;
    });
    // The new log goes on beyond what was lost of the old one.
    await next.ask('SELECT pg_switch_wal()');
    const later = await send();
    expect(placeOf(later.token)).toMatchObject({ timeline: 2 });
    expect(placeOf(later.token).position).toBeGreaterThan(placeOf(lost.token).position);
    await until(async () => (await queryValue(follower.url, holds(later.token))) === true);
    await until(async () => (await figures('millrace_replica_used')).get(String(follower.port)) === 1);

    const before = await reads();
    const old = await get(`/v1/messages/${lost.id}`, lost.token);
    expect(old).toMatchObject({ status: 404, timeline: '2' });
    expect(await get(`/v1/messages/${kept.id}`, kept.token)).toMatchObject({ status: 200, timeline: '2' });
    const between = await reads();
    expect(between.get(String(follower.port)) ?? 0).toBe(before.get(String(follower.port)) ?? 0);
    expect(between.get('primary')).toBe(before.get('primary')! + 2);
    expect(await get(`/v1/messages/${later.id}`, later.token)).toMatchObject({
      status: 200,
      timeline: undefined,
    });
    expect((await reads()).get(String(follower.port))).toBeGreaterThan(
      between.get(String(follower.port)) ?? 0,
    );

    const replica = await openOwn({ next, follower });
    expect(replica.obstacle).toBeUndefined();
    await next.stop('immediate');
    await until(async () => Number(await queryValue(follower.url, receivers)) === 0);
    await replica.measure();
    expect(replica.obstacle).toBeUndefined();
    expect(await get(`/v1/messages/${lost.id}`, lost.token)).toMatchObject({ status: 503 });
    expect(await get(`/v1/messages/${later.id}`)).toMatchObject({ status: 200 });
  },
);

const receivers = 'SELECT count(*) FROM pg_stat_wal_receiver';

async function followNobody(standby: ClusterServer): Promise<void> {
  await standby.ask(`ALTER SYSTEM SET primary_conninfo = ''`);
  await standby.ask('SELECT pg_reload_conf()');
  await until(async () => Number(await queryValue(standby.url, receivers)) === 0);
}

async function follow(standby: ClusterServer, primary: ClusterServer): Promise<void> {
  const place = `host=127.0.0.1 port=${primary.port} user=superuser`;
  await standby.ask(`ALTER SYSTEM SET primary_conninfo = '${place}'`);
  await standby.ask('SELECT pg_reload_conf()');
}

/** Of a token of one place. */
function placeOf(token: string): { timeline: number; position: bigint } {
  const [, timeline, position] = token.split(':');
  return { timeline: Number(timeline), position: parsePosition(position!) };
}

function holds(token: string): string {
  return `SELECT pg_last_wal_replay_lsn() >= '${token.split(':')[2]}'::pg_lsn`;
}

/** A look at the follower that is made when the test wants it to be. */
async function openOwn({ next, follower }: { next: ClusterServer; follower: ClusterServer }) {
  const primary = openDatabase({ url: next.url, name: 'test', poolSize: 1 });
  onTestFinished(() => primary.close());
  const replicas = await openReplicas({
    ...{ primary, primaryUrl: next.url, replicaUrls: [follower.url], clock: systemClock },
    ...{ poolSize: 1, namedStatements: true, lagMaxMs: 600_000, onChange: () => {} },
  });
  onTestFinished(() => replicas.close());
  return replicas.replicas[0]!;
}
