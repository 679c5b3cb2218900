import { afterEach, expect, test, vi } from 'vitest';
import { statistics as check } from '../../src/doctor/checks/statistics.ts';
import { StatisticsRoller } from '../../src/events/statistics/statistics-roller.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { addFold } from '../../src/store/statistics/add-fold.ts';
import { type Fold, foldDeltas } from '../../src/store/statistics/fold-deltas.ts';
import { StatisticsPlaceError, settleTarget } from '../../src/store/statistics/settle-target.ts';
import { startCluster } from '../support/cluster.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { killProcesses, startProcess } from '../support/start-process.ts';
import { days, insertDelta, sumsOf, tableRows } from './deltas.ts';
import { call, distinctAt, sendFlood, startServer, sumOf, until, untilKnown } from './flood-site.ts';

const batch = '01932c07-a3b0-7005-8000-000000000000';
const databases: Database[] = [];

afterEach(async () => {
  await killProcesses();
  await Promise.all(databases.splice(0).map((database) => database.close()));
});

async function open(url?: string): Promise<Database> {
  const place = { url: url ?? (await createTestDatabase()).url, poolSize: 4, name: 'statistics test' };
  const database = openDatabase(place);
  databases.push(database);
  return database;
}

function rollerTo(home: Database, statistics: Database, prepare?: () => Promise<void>): StatisticsRoller {
  return new StatisticsRoller({
    ...{ database: home, statistics, days, clock: systemClock, onDropped: () => {} },
    ...(prepare && { prepare }),
  });
}

const ready = async () => {};
const now = () => ({ days, nowMs: Date.now() });

/** Each of a few series in each of the last days. */
async function count(home: Database, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    await insertDelta(home, [
      {
        agoMs: time * 3_600_000,
        batch,
        tag: time % 2 === 0 ? 'a' : null,
        counts: { sent: 1, attempts: 2 },
        waits: [[time % 9, 1]],
      },
    ]);
  }
}

async function all(database: Database) {
  const bySteps = [];
  for (const step of ['minute', 'hour', 'day']) bySteps.push(await tableRows(database, step));
  return bySteps;
}

test('statistics that are there move to a database that is set later, whoever crashes or repeats amid it', async () => {
  const [home, other] = await Promise.all([open(), open()]);
  await count(home, 30);
  const late = rollerTo(home, home);
  await late.runOnce();
  const before = await all(home);
  await count(home, 1);
  // A server that was not told yet has sealed what it is about to add here.
  const underWay = (await foldDeltas(home, { seal: true }))!.sealed!;
  const place = await settleTarget(home, other);
  await expect(addFold(home, { fold: underWay, ...now() })).rejects.toThrow(/another database by now/);
  await expect(late.runOnce()).rejects.toBeInstanceOf(StatisticsPlaceError);
  const moved: Fold[] = [];
  for (let turn = 0; turn < 3; turn++) {
    // It arrives, and whoever moved it dies before it is dropped.
    const { sealed } = (await foldDeltas(home, { seal: true, place }))!;
    await addFold(other, { fold: sealed!, ...now() });
    moved.push(sealed!);
  }
  expect(new Set(moved.map(({ id }) => id)).size).toBe(1);
  const rollers = [rollerTo(home, other, ready), rollerTo(home, other, ready)];
  await Promise.all(rollers.map((roller) => roller.runOnce()));
  await rollers[0]!.runOnce();
  await addFold(other, { fold: moved[0]!, ...now() });
  const sums = await sumsOf(other, { kind: 1 });
  expect(sums).toMatchObject({ sent: 15, attempts: 30 });
  expect(await sumsOf(other, { kind: 3 })).toMatchObject({ sent: 16, attempts: 32 });
  expect((await all(home)).flat()).toEqual([]);
  expect((await all(other)).map((rows) => rows.length)).toEqual(expect.arrayContaining([expect.any(Number)]));
  const rowsBefore = before[2]!.length;
  expect((await tableRows(other, 'day')).length).toBeGreaterThanOrEqual(rowsBefore);
});

test('a fold that arrived in the old place just before it was left is not counted in the new one as well', async () => {
  const [home, other] = await Promise.all([open(), open()]);
  await count(home, 2);
  const { sealed } = (await foldDeltas(home, { seal: true }))!;
  await addFold(home, { fold: sealed!, ...now() });
  await rollerTo(home, other, ready).runOnce();
  const sent = async (kind: number) => (await sumsOf(other, { kind })).sent;
  expect([await sent(1), await sent(3)]).toEqual([1, 1]);
});

test('a third database is refused, and so is to go on without the one where they are kept', async () => {
  const [home, other, third] = await Promise.all([open(), open(), open()]);
  await rollerTo(home, other, ready).runOnce();
  await count(home, 2);
  const stray = rollerTo(home, third, ready);
  await expect(stray.runOnce()).rejects.toThrow(/another database than the one that eventsDatabase names/);
  await expect(rollerTo(home, home).runOnce()).rejects.toThrow(/give it the option eventsDatabase/);
  await rollerTo(home, other, ready).runOnce();
  expect(await sumsOf(other, { kind: 1 })).toMatchObject({ sent: 1 });
  expect((await all(third)).flat()).toEqual([]);
  const context = { database: home } as Parameters<typeof check.run>[0];
  expect(await check.run(context)).toMatchObject([
    { severity: 'warning', mend: expect.stringMatching(/events-database/) },
  ]);
  expect(await check.run({ ...context, eventsDatabase: other })).toMatchObject([{ severity: 'ok' }]);
});

test('where statistics of another installation are kept, nothing is mixed in, and what was counted waits', async () => {
  const [home, neighbour, other, empty] = await Promise.all([open(), open(), open(), open()]);
  await count(neighbour, 2);
  await rollerTo(neighbour, other, ready).runOnce();
  await count(home, 4);
  const prepare = vi.fn(ready);
  const refused = rollerTo(home, other, prepare);
  await expect(refused.runOnce()).rejects.toThrow(/of another installation: name an empty one/);
  expect(prepare).not.toHaveBeenCalled();
  // It is not asked each second.
  expect(await refused.runOnce()).toBe(false);
  expect(await sumsOf(other, { kind: 1 })).toMatchObject({ sent: 1 });
  const context = { database: home } as Parameters<typeof check.run>[0];
  expect(await check.run({ ...context, eventsDatabase: other })).toMatchObject([
    { severity: 'error', summary: expect.stringMatching(/another installation/) },
  ]);
  await rollerTo(home, empty, ready).runOnce();
  expect(await sumsOf(empty, { kind: 1 })).toMatchObject({ sent: 2 });
});

test('of two installations that begin with one database at once, one has it and the other is refused', async () => {
  const [one, two, other] = await Promise.all([open(), open(), open()]);
  await count(one, 2);
  await count(two, 2);
  const runs = [one, two].map((home) => rollerTo(home, other, ready).runOnce());
  const ended = await Promise.allSettled(runs);
  expect(ended.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(await sumsOf(other, { kind: 1 })).toMatchObject({ sent: 1 });
  const winner = ended[0]!.status === 'fulfilled' ? one : two;
  expect(await rollerTo(winner, other, ready).runOnce()).toBe(true);
});

test('the database of an installation that has only begun is not taken for an empty one', async () => {
  const [home, neighbour] = await Promise.all([open(), open()]);
  const text =
    "INSERT INTO api_key (id, account_id, hash, hint, scopes) VALUES (gen_random_uuid(), 1, '\\x00', '', '{read}')";
  await neighbour.query({ name: '', text });
  await expect(rollerTo(home, neighbour, ready).runOnce()).rejects.toThrow(/another installation/);
});

test('while the events database is away deliveries go on, and the totals are right afterwards', async () => {
  const count = 12_000;
  const [{ url }, cluster, sink] = await Promise.all([
    createTestDatabase(),
    startCluster(),
    startProcess(['sink', '--port', '0']),
  ]);
  try {
    const events = cluster.primary;
    const server = await startServer(url, ['--events-database', events.url]);
    await until(async () => (await fetchStatistics(server.url)).status === 200);
    const id = await sendFlood(server, { sinkUrl: sink.url, count, ratePerSecond: 4_000 });
    await until(async () => (await distinctAt(sink)) > count / 5);
    await events.stop('immediate');
    await until(async () => (await call(server, { path: `/v1/batches/${id}` })).state === 'done');
    const refused = await fetchStatistics(server.url);
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([503, 'unavailable']);
    const home = await open(url);
    const gone = openDatabase({ url: events.url, poolSize: 1, name: 'away' });
    const found = await check.run({ database: home, eventsDatabase: gone } as Parameters<
      typeof check.run
    >[0]);
    await gone.close();
    expect(found[0]).toMatchObject({
      severity: 'warning',
      summary: expect.stringMatching(/cannot be reached/),
    });
    await events.start();
    await untilKnown(server);
    expect(await distinctAt(sink)).toBe(count);
    expect(await sumOf(server, 'by=none')).toMatchObject({
      accepted: count,
      sent: count,
      attempts: count,
      waits: count,
    });
    expect((await all(home)).flat()).toEqual([]);
    expect(await server.stop()).toBe(0);
    await sink.stop();
  } finally {
    await killProcesses();
    await cluster.close();
  }
}, 180_000);

function fetchStatistics(url: string): Promise<Response> {
  const headers = { authorization: 'Bearer statistics-test-administrator-key-0123456789' };
  return fetch(`${url}/v1/statistics`, { headers, signal: AbortSignal.timeout(30_000) });
}
