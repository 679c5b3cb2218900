import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import type { HostEvent } from '../../src/lib/host-event.ts';
import { type Database, DatabaseError, openDatabase } from '../../src/store/database.ts';
import { describeFault } from '../../src/store/describe-fault.ts';
import { startPoolerProxy } from '../support/pooler-proxy.ts';
import { startPair, urlOf } from '../support/start-pair.ts';

test('writes go on when the primary is gone and its standby is promoted, and none that was acknowledged is lost', async () => {
  const { primary, standby, url } = await startPair();
  // What is acknowledged is on both from here on.
  await primary.run(`ALTER SYSTEM SET synchronous_standby_names = '*'`);
  await primary.run('SELECT pg_reload_conf()');
  const { database } = open(url);
  await run(database, 'CREATE TABLE kept (id integer PRIMARY KEY)');
  const writing = startWriting(database);
  await expect.poll(writing.count).toBeGreaterThan(20);
  process.kill(primary.pid, 'SIGKILL');
  await standby.run('SELECT pg_promote()');
  const before = writing.count();
  await expect.poll(writing.count).toBeGreaterThan(before + 20);
  const acknowledged = await writing.stop();
  const kept = await standby.run('SELECT array_agg(id) FROM kept');
  expect(kept).toEqual(expect.arrayContaining(acknowledged));
});

test('a standby that is named first is passed over, and tells of itself when it is alone', async () => {
  const { primary, standby } = await startPair();
  const { database } = open(urlOf([standby, primary]));
  expect(await portOf(database)).toBe(primary.port);
  await primary.stop();
  const fault = await faultOf(portOf(database));
  expect(fault).toMatchObject({ kind: 'unavailable', code: 'NO_WRITER' });
  expect(describeFault(fault)).toMatch(/none of the hosts/);
  expect(fault.message).toContain(`127.0.0.1:${standby.port} is read-only`);
  const single = `${standby.url}?target_session_attrs=primary`;
  expect(await faultOf(portOf(open(single).database))).toMatchObject({
    ...{ kind: 'unavailable', code: 'NO_WRITER' },
  });
  expect(await portOf(open(`${standby.url}?target_session_attrs=any`).database)).toBe(standby.port);
});

test('one write that is refused as read-only ends every connection to that host', async () => {
  const { primary, standby, url } = await startPair();
  const { database } = open(url, { poolSize: 3 });
  await run(database, 'CREATE TABLE kept (id integer PRIMARY KEY)');
  await Promise.all([1, 2, 3].map(() => run(database, 'SELECT 1')));
  await standby.run('SELECT pg_promote()');
  await primary.run('ALTER SYSTEM SET default_transaction_read_only = on');
  await primary.run('SELECT pg_reload_conf()');
  const left = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'millrace pair'`;
  await expect.poll(() => writeOnce(database, 1)).toBe('done');
  await expect.poll(() => primary.run(left)).toBe('0');
  expect(await portOf(database)).toBe(standby.port);
});

test('a primary that nobody stopped is left for the one that was promoted, and never taken again', async () => {
  const { primary, standby, url } = await startPair();
  const { database, events } = open(url);
  expect(await portOf(database)).toBe(primary.port);
  await standby.run('SELECT pg_promote()');
  await expect.poll(() => portOf(database).catch(() => 0)).toBe(standby.port);
  const old = { kind: 'outdated', host: `127.0.0.1:${primary.port}`, timeline: 1 };
  await expect.poll(() => events).toContainEqual(old);
  await standby.stop();
  const fault = await faultOf(portOf(database));
  expect(fault).toMatchObject({ kind: 'unavailable', connectionLost: true });
  await expect.poll(async () => (await faultOf(portOf(database))).message).toContain('earlier timeline 1');
});

test('a statement to a host that has fallen silent ends when another is promoted, not with its own limit', async () => {
  const { primary, standby } = await startPair();
  const way = await startPoolerProxy(primary.url);
  onTestFinished(() => way.stop());
  const { database } = open(urlOf([way, standby]), { poolSize: 1, statementTimeoutMs: 600_000 });
  expect(await portOf(database)).toBe(primary.port);
  way.fallSilent();
  const unanswered = faultOf(run(database, 'SELECT 1'));
  const waiting = portOf(database);
  await standby.run('SELECT pg_promote()');
  expect(await unanswered).toMatchObject({ connectionLost: true });
  // Whoever waited for the one connection meanwhile gets one to the new primary.
  expect(await waiting.catch(() => portOf(database))).toBe(standby.port);
});

function open(url: string, settings: { poolSize?: number; statementTimeoutMs?: number } = {}) {
  const events: HostEvent[] = [];
  const database = openDatabase({
    ...{ url, name: 'pair', poolSize: 2, ...settings },
    onHost: (event) => events.push(event),
  });
  onTestFinished(() => database.close());
  return { database, events };
}

function run(database: Database, text: string, values: unknown[] = []) {
  return database.query({ name: '', text }, values);
}

async function portOf(database: Database): Promise<number> {
  return (await run(database, 'SELECT inet_server_port() AS port')).rows[0]!.port as number;
}

/** Writes numbers one after the other, each until it is acknowledged. */
function startWriting(database: Database) {
  const acknowledged: number[] = [];
  let stopped = false;
  const done = (async () => {
    for (let id = 1; !stopped; id++) {
      while ((await writeOnce(database, id)) !== 'done') await systemClock.sleep(20);
      acknowledged.push(id);
    }
  })();
  return {
    count: () => acknowledged.length,
    async stop() {
      stopped = true;
      await done;
      return acknowledged;
    },
  };
}

function writeOnce(database: Database, id: number): Promise<string> {
  return run(database, 'INSERT INTO kept VALUES ($1) ON CONFLICT DO NOTHING', [id]).then(
    () => 'done',
    () => 'refused',
  );
}

async function faultOf(work: Promise<unknown>): Promise<DatabaseError['fault']> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DatabaseError);
  return (error as DatabaseError).fault;
}
