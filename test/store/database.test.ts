import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type Call,
  type Database,
  DatabaseError,
  openDatabase,
  type Statement,
} from '../../src/store/database.ts';
import { describeFault } from '../../src/store/describe-fault.ts';
import { startCuttingProxy } from '../support/cutting-proxy.ts';
import { startPoolerProxy } from '../support/pooler-proxy.ts';
import { createTestDatabase } from '../support/postgres.ts';

let url: string;
let database: Database;
beforeAll(async () => {
  url = (await createTestDatabase({ empty: true })).url;
  database = openDatabase({ url, poolSize: 2, name: 'database test', statementTimeoutMs: 500 });
  await database.query(sql('CREATE TABLE thing (id integer PRIMARY KEY)'));
});
afterAll(() => database.close());

function sql(text: string): Statement {
  return { name: '', text };
}

async function faultOf(work: Promise<unknown>): Promise<DatabaseError['fault']> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DatabaseError);
  return (error as DatabaseError).fault;
}

test('a transaction that throws leaves nothing behind', async () => {
  const failing = database.transaction(async (transaction) => {
    await transaction.query(sql('INSERT INTO thing VALUES (1)'));
    throw new Error('a reason of its own');
  });
  await expect(failing).rejects.toThrow('a reason of its own');
  expect((await database.query(sql('SELECT 1 FROM thing WHERE id = 1'))).rowCount).toBe(0);
});

test('a repeated key is a conflict and the connection stays usable', async () => {
  await database.query(sql('INSERT INTO thing VALUES (2)'));
  const fault = await faultOf(database.query(sql('INSERT INTO thing VALUES (2)')));
  expect(fault).toMatchObject({
    kind: 'conflict',
    code: '23505',
    connectionLost: false,
    constraint: 'thing_pkey',
  });
  expect((await database.query(sql('SELECT 1'))).rowCount).toBe(1);
});

test('a statement over its limit is ended by the server', async () => {
  const slow = database.transaction((transaction) => transaction.query(sql('SELECT pg_sleep(30)')));
  expect(await faultOf(slow)).toMatchObject({ kind: 'timeout', code: '57014' });
});

test('a statement outside of a transaction is ended by the server as well', async () => {
  expect(await faultOf(database.query(sql('SELECT pg_sleep(30)')))).toMatchObject({
    kind: 'timeout',
    code: '57014',
    connectionLost: false,
  });
});

test('behind a pooler that takes no settings every statement still has its limit', async () => {
  const pooler = await startPoolerProxy(url);
  const pooled = openDatabase({ url: pooler.url, poolSize: 2, name: 'pooled', statementTimeoutMs: 300 });
  // Those for whom the pool has no room wait meanwhile: they are served as well.
  const first = await Promise.all([1, 2, 3, 4].map(() => pooled.query(sql('SELECT 1'))));
  expect(first.map(({ rowCount }) => rowCount)).toEqual([1, 1, 1, 1]);
  for (const slow of [
    () => pooled.query(sql('SELECT pg_sleep(30)')),
    () => pooled.transaction((transaction) => transaction.query(sql('SELECT pg_sleep(30)'))),
  ]) {
    expect(await faultOf(slow())).toMatchObject({ kind: 'timeout', code: '57014' });
  }
  await pooled.close();
  await pooler.stop();
});

test('a setting in the URL that a pooler does not take along is refused, and asked for no more than twice', async () => {
  const pooler = await startPoolerProxy(url);
  const asking = new URL(pooler.url);
  asking.searchParams.set('options', '-c geqo=off');
  const pooled = openDatabase({ url: asking.href, poolSize: 2, name: 'pooled' });
  const fault = await faultOf(pooled.query(sql('SELECT 1')));
  expect(fault).toMatchObject({ kind: 'refused', code: 'SETTING_REFUSED' });
  expect(describeFault(fault)).toContain('ignore_startup_parameters');
  expect(pooler.refused).toBeLessThanOrEqual(2);
  await pooled.close();
  await pooler.stop();
});

test('an answer that does not come is waited for no longer than was asked', async () => {
  const proxy = await startPoolerProxy(url);
  const open = (name: string, answerExtraMs: number) =>
    openDatabase({ url: proxy.url, poolSize: 1, name, statementTimeoutMs: 500, answerExtraMs });
  const [hasty, patient] = [open('hasty', 500), open('patient', 60_000)];
  await Promise.all([hasty.query(sql('SELECT 1')), patient.query(sql('SELECT 1'))]);
  proxy.fallSilent();
  const patiently = faultOf(patient.query(sql('SELECT 1')));
  const first = await Promise.race([patiently, faultOf(hasty.query(sql('SELECT 1')))]);
  expect(first).toMatchObject({ kind: 'timeout', code: 'QUERY_TIMEOUT', connectionLost: true });
  await proxy.stop();
  expect(await patiently).toMatchObject({ kind: 'unavailable', connectionLost: true });
  await Promise.all([hasty.close(), patient.close()]);
});

test('a connection that the server ends is replaced', async () => {
  const ended = database.transaction((transaction) =>
    transaction.query(sql('SELECT pg_terminate_backend(pg_backend_pid())')),
  );
  expect(await faultOf(ended)).toMatchObject({ kind: 'unavailable', connectionLost: true, ambiguous: false });
  expect((await database.query(sql('SELECT 1'))).rowCount).toBe(1);
});

test('a connection that breaks between two statements fails the next one, and nothing else', async () => {
  const broken = database.transaction(async (transaction) => {
    const { rows } = await transaction.query<{ pid: number }>(sql('SELECT pg_backend_pid() AS pid'));
    await database.query(sql('SELECT pg_terminate_backend($1, 5000)'), [rows[0]!.pid]);
    // The event of the broken socket comes before this round trip on another one ends, or never harms.
    await database.query(sql('SELECT pg_sleep(0.1)'));
    await transaction.query(sql('SELECT 1'));
  });
  expect(await faultOf(broken)).toMatchObject({
    kind: 'unavailable',
    connectionLost: true,
    ambiguous: false,
  });
  expect((await database.query(sql('SELECT 1'))).rowCount).toBe(1);
});

test('a connection lost during COMMIT is ambiguous', async () => {
  await database.query(
    sql(`CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$`),
  );
  await database.query(
    sql(
      'CREATE CONSTRAINT TRIGGER die AFTER INSERT ON thing DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()',
    ),
  );
  const insert = database.transaction((transaction) =>
    transaction.query(sql('INSERT INTO thing VALUES (3)')),
  );
  expect(await faultOf(insert)).toMatchObject({ kind: 'unavailable', connectionLost: true, ambiguous: true });
  await database.query(sql('DROP TRIGGER die ON thing'));
});

test('a server that is not there is unavailable', async () => {
  const nowhere = openDatabase({ url: 'postgres://127.0.0.1:9/none', poolSize: 1, name: 'nowhere' });
  expect(await faultOf(nowhere.query(sql('SELECT 1')))).toMatchObject({
    kind: 'unavailable',
    code: 'ECONNREFUSED',
  });
  await nowhere.close();
});

test('a wrong password is refused, not unavailable', async () => {
  const wrong = new URL(url);
  wrong.password = 'wrong';
  const locked = openDatabase({ url: wrong.href, poolSize: 1, name: 'locked' });
  expect(await faultOf(locked.query(sql('SELECT 1')))).toMatchObject({ kind: 'refused', code: '28P01' });
  await locked.close();
});

test('a transaction that its client has left alone is ended by the server, with its locks', async () => {
  const patient = openDatabase({ url, poolSize: 1, name: 'patient' });
  await database.query(sql('INSERT INTO thing VALUES (20)'));
  const abandoned = database.transaction(async (transaction) => {
    await transaction.query(sql('SELECT 1 FROM thing WHERE id = 20 FOR UPDATE'));
    // Waits for the lock that this transaction would hold for ever.
    await patient.query(sql('UPDATE thing SET id = 21 WHERE id = 20'));
    await transaction.query(sql('SELECT 1'));
  });
  expect(await faultOf(abandoned)).toMatchObject({
    kind: 'unavailable',
    connectionLost: true,
    ambiguous: false,
  });
  expect((await database.query(sql('SELECT 1 FROM thing WHERE id = 21'))).rowCount).toBe(1);
  await patient.close();
});

test('a transaction whose work hides an error is not taken for committed', async () => {
  const hiding = database.transaction(async (transaction) => {
    await transaction.query(sql('INSERT INTO thing VALUES (30)'));
    await transaction.query(sql('SELECT 1 / 0')).catch(() => {});
  });
  expect(await faultOf(hiding)).toMatchObject({ kind: 'invalid', ambiguous: false });
  expect((await database.query(sql('SELECT 1'))).rowCount).toBe(1);
});

test('what is committed with a warning is ambiguous: it may not have reached the standby', async () => {
  await database.query(
    sql(`CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE WARNING 'canceling wait for synchronous replication'; RETURN NULL; END $$`),
  );
  await database.query(sql('CREATE TABLE unsure (id integer)'));
  await database.query(
    sql(`CREATE CONSTRAINT TRIGGER warn_at_commit AFTER INSERT ON unsure
      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION warn()`),
  );
  const unsure = database.transaction((transaction) =>
    transaction.query(sql('INSERT INTO unsure VALUES (1)')),
  );
  expect(await faultOf(unsure)).toMatchObject({ ambiguous: true });
  const alone = database.query(sql('INSERT INTO unsure VALUES (2)'));
  expect(await faultOf(alone)).toMatchObject({ ambiguous: true });
  expect((await database.query(sql('SELECT 1 FROM unsure'))).rowCount).toBe(2);
});

test('the COMMIT of a transaction of known statements leaves before any of them is answered', async () => {
  let onCommit = () => {};
  const sent = new Promise<void>((resolve) => {
    onCommit = resolve;
  });
  const proxy = await startCuttingProxy(url, {
    judge: (bytes) => {
      if (bytes.includes('COMMIT')) onCommit();
      return 'pass';
    },
  });
  const through = openDatabase({ url: proxy.url, poolSize: 1, name: 'through' });
  let done = Promise.resolve();
  await database.transaction(async (transaction) => {
    await transaction.query(sql('LOCK TABLE thing'));
    done = through.transactionOf([
      call('INSERT INTO thing VALUES (50)'),
      call('INSERT INTO thing VALUES (51)'),
    ]);
    await sent;
  });
  await done;
  expect((await database.query(sql('SELECT 1 FROM thing WHERE id IN (50, 51)'))).rowCount).toBe(2);
  await through.close();
  await proxy.stop();
});

test('behind a BEGIN that was canceled no statement is carried out', async () => {
  let canceled = false;
  const proxy = await startCuttingProxy(url, {
    judge: (bytes) => {
      const at = bytes.indexOf('BEGIN;');
      // What the server makes of a cancellation that comes at that moment: an error instead of a transaction.
      if (at >= 0 && !canceled) bytes.write('BEGIM;', at);
      canceled ||= at >= 0;
      return 'pass';
    },
  });
  const through = openDatabase({ url: proxy.url, poolSize: 1, name: 'through' });
  const refused = through.transactionOf([call('INSERT INTO thing VALUES (80)'), call('SELECT 1')]);
  expect(await faultOf(refused)).toMatchObject({ code: '42601', ambiguous: false });
  expect((await through.query(sql('SELECT 1 FROM thing WHERE id = 80'))).rowCount).toBe(0);
  await through.close();
  await proxy.stop();
});

test('of a transaction of known statements one of which fails nothing is kept, and its reason is told', async () => {
  await database.query(sql('INSERT INTO thing VALUES (60)'));
  const calls = [61, 60, 62].map((id) => call(`INSERT INTO thing VALUES (${id})`));
  expect(await faultOf(database.transactionOf(calls))).toMatchObject({
    ...{ kind: 'conflict', code: '23505', constraint: 'thing_pkey', ambiguous: false },
  });
  expect((await database.query(sql('SELECT 1 FROM thing WHERE id IN (61, 62)'))).rowCount).toBe(0);
});

test('a transaction of known statements whose connection is lost is ambiguous, committed or not', async () => {
  for (const [id, passage] of [
    [70, 'cut'],
    [71, 'cut when answered'],
  ] as const) {
    const proxy = await startCuttingProxy(url, {
      judge: (bytes) => (bytes.includes('COMMIT') ? passage : 'pass'),
    });
    const through = openDatabase({ url: proxy.url, poolSize: 1, name: 'through' });
    await through.query(sql('SELECT 1'));
    const lost = through.transactionOf([call(`INSERT INTO thing VALUES (${id})`), call('SELECT 1')]);
    expect(await faultOf(lost)).toMatchObject({ connectionLost: true, ambiguous: true });
    expect((await through.query(sql('SELECT 1'))).rowCount).toBe(1);
    await through.close();
    await proxy.stop();
  }
});

test('a transaction of one known statement is one round trip, and ambiguous when its connection is lost', async () => {
  for (const [id, passage] of [
    [72, 'cut'],
    [73, 'cut when answered'],
  ] as const) {
    const sent: string[] = [];
    const proxy = await startCuttingProxy(url, {
      judge: (bytes) => {
        sent.push(bytes.toString('latin1'));
        return bytes.includes('INSERT') ? passage : 'pass';
      },
    });
    const through = openDatabase({ url: proxy.url, poolSize: 1, name: 'through' });
    await through.query(sql('SELECT 1'));
    sent.length = 0;
    const lost = through.transactionOf([call(`INSERT INTO thing VALUES (${id})`)]);
    expect(await faultOf(lost)).toMatchObject({ connectionLost: true, ambiguous: true });
    expect(sent).toHaveLength(1);
    await through.close();
    await proxy.stop();
  }
  // The one whose answer was lost had been carried out.
  await expect
    .poll(async () => (await database.query(sql('SELECT 1 FROM thing WHERE id = 73'))).rowCount)
    .toBe(1);
});

test('a transaction of one known statement that fails keeps nothing, and tells its reason', async () => {
  await database.query(sql('INSERT INTO thing VALUES (90)'));
  const failing = database.transactionOf([call('INSERT INTO thing VALUES (91), (90)')]);
  expect(await faultOf(failing)).toMatchObject({ kind: 'conflict', code: '23505', ambiguous: false });
  expect((await database.query(sql('SELECT 1 FROM thing WHERE id = 91'))).rowCount).toBe(0);
});

test('a read-only database is told as one, and as one that took nothing', async () => {
  const readOnly = new URL(url);
  readOnly.searchParams.set('options', '-c default_transaction_read_only=on');
  const through = openDatabase({ url: readOnly.href, poolSize: 1, name: 'read-only' });
  const insert = 'INSERT INTO thing VALUES (80)';
  for (const work of [
    through.transactionOf([call(insert), call('SELECT 1')]),
    through.transactionOf([call(insert)]),
    through.transaction((transaction) => transaction.query(sql(insert))),
    through.query(sql(insert)),
  ]) {
    expect(await faultOf(work)).toMatchObject({ kind: 'unavailable', code: '25006', ambiguous: false });
  }
  await through.close();
});

test('what a migration makes of a prepared statement is found out on another connection', async () => {
  await database.query(sql('CREATE TABLE wide (a integer)'));
  const rows = { name: 'wide_rows', text: 'SELECT * FROM wide' };
  const insert = { name: 'wide_insert', text: 'INSERT INTO wide VALUES (1) RETURNING *' };
  const calls = [rows, insert].map((statement) => ({ statement, values: [] }));
  const works: (() => Promise<unknown>)[] = [
    () => database.query(rows),
    () => database.transactionOf(calls),
    () => database.transactionOf(calls.slice(1)),
  ];
  for (const [at, work] of works.entries()) {
    // Both of the pool's connections prepare it.
    await database.transaction((one) =>
      database.transaction(async (other) => {
        for (const connection of [one, other]) {
          await connection.query(rows);
          await connection.query(insert);
        }
      }),
    );
    await database.query(sql(`ALTER TABLE wide ADD COLUMN b${at} integer`));
    await work();
  }
  expect((await database.query(rows)).rows[0]).toEqual({ a: 1, b0: null, b1: null, b2: null });
  await database.query(sql('ALTER TABLE wide ADD COLUMN last integer'));
  // Whoever holds the transaction knows whether its work bears being done again.
  const outdated = () => database.transaction((transaction) => transaction.query(rows));
  expect(await faultOf(outdated())).toMatchObject({
    ...{ kind: 'unavailable', code: 'PLAN_OUTDATED', connectionLost: true, ambiguous: false },
  });
});

function call(text: string): Call {
  return { statement: sql(text), values: [] };
}
