import { afterAll, beforeAll, expect, test } from 'vitest';
import { StatisticsRoller } from '../../src/events/statistics/statistics-roller.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { openDatabase } from '../../src/store/database.ts';
import { settleTarget } from '../../src/store/statistics/settle-target.ts';
import { startApi, type TestApi } from '../api/start-api.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { days, insertDelta } from './deltas.ts';

const batch = '01932c07-a3b0-7005-8000-000000000000';

let api: TestApi;
let first: { id: string; key: string };
let second: { id: string; key: string };
let routeId: number;

beforeAll(async () => {
  api = await startApi();
  first = await api.makeAccount('First', ['read', 'send']);
  second = await api.makeAccount('Second', ['read']);
  const route = { connector: 'http', url: 'http://127.0.0.1:9/', allowPrivate: true };
  await api.call('PUT', '/v1/routes/sms', { body: route });
  routeId = api.context.control.routeByName('sms')!.id;
  const { database } = api.context;
  const of = { accountId: Number(first.id), routeId };
  await insertDelta(database, [
    { ...of, batch, counts: { accepted: 3, sent: 2, attempts: 4 }, waits: [[10, 3]] },
    { ...of, batch, tag: 'spring', counts: { accepted: 2, sent: 1 } },
    { ...of, counts: { accepted: 1 } },
    { accountId: Number(second.id), routeId, counts: { failed: 7 } },
  ]);
  await roll();
});

afterAll(() => api.stop());

async function roll(): Promise<void> {
  const { database } = api.context;
  const roller = new StatisticsRoller({
    ...{ database, statistics: database, days, clock: systemClock, onDropped: () => {} },
  });
  await roller.runOnce();
}

async function read(query: string, key?: string) {
  const { status, json } = await api.call('GET', `/v1/statistics?${query}`, key === undefined ? {} : { key });
  expect(status, JSON.stringify(json)).toBe(200);
  return json;
}

test.each(['minute', 'hour', 'day'])(
  'an account reads what happened to its messages, by the %s',
  async (step) => {
    const answer = await read(`step=${step}`, first.key);
    expect(answer).toMatchObject({ step, since: expect.any(String), until: expect.any(String) });
    expect(Date.parse(answer.asOf)).toBeGreaterThan(Date.now() - 60_000);
    expect(answer.series).toHaveLength(1);
    const [point] = answer.series[0].points;
    expect(point).toMatchObject({ accepted: 4, attempts: 4, sent: 2, delivered: 0, failed: 0, uncertain: 0 });
    expect(point.timeToFirstAttempt).toMatchObject({ count: 3 });
    expect(point.timeToFirstAttempt.p50Ms).toBeGreaterThan(22);
    expect(point.timeToFirstAttempt.p99Ms).toBeLessThanOrEqual(32);
  },
);

test('series are told apart by account, route, batch and tag', async () => {
  const sums = async (query: string) =>
    (await read(query)).series.map(
      ({ points, ...name }: { points: { accepted: number; failed: number }[] }) => [
        name,
        points[0]!.accepted,
        points[0]!.failed,
      ],
    );
  expect(await sums('by=none')).toEqual([[{}, 4, 7]]);
  expect(await sums('by=account')).toEqual([
    [{ account: first.id }, 4, 0],
    [{ account: second.id }, 0, 7],
  ]);
  expect(await sums('by=route')).toEqual([[{ route: 'sms' }, 4, 7]]);
  expect(await sums('by=batch')).toEqual([[{ batch }, 3, 0]]);
  expect(await sums('by=tag')).toEqual([[{ tag: 'spring' }, 2, 0]]);
  expect(await sums(`by=tag&batch=${batch}&route=sms&account=${first.id}`)).toEqual([
    [{ tag: 'spring' }, 2, 0],
  ]);
  expect(await sums('tag=spring&by=account')).toEqual([[{ account: first.id }, 2, 0]]);
  expect(await sums('tag=other')).toEqual([]);
});

test('the total of a series is one point with the percentiles of the whole time', async () => {
  const { database } = api.context;
  const { id, key } = await api.makeAccount('Third', ['read']);
  const of = { accountId: Number(id), routeId };
  const hourMs = 3_600_000;
  await insertDelta(database, [
    { ...of, batch, agoMs: 2 * hourMs, counts: { accepted: 9, sent: 9 }, waits: [[4, 9]] },
    {
      ...of,
      batch,
      agoMs: hourMs,
      counts: { accepted: 89 },
      waits: [
        [4, 80],
        [6, 9],
      ],
    },
    { ...of, counts: { accepted: 2, failed: 1 }, waits: [[20, 2]] },
  ]);
  await roll();
  const { since, series } = await read('by=account&total=true', key);
  expect(series).toHaveLength(1);
  expect(series[0].account).toBe(id);
  const [point, ...more] = series[0].points;
  expect(more).toEqual([]);
  expect(point).toMatchObject({ at: since, accepted: 100, sent: 9, failed: 1 });
  expect(point.timeToFirstAttempt.count).toBe(100);
  const { p50Ms, p95Ms, p99Ms } = point.timeToFirstAttempt;
  for (const [ms, above, upTo] of [
    [p50Ms, 2.8, 4],
    [p95Ms, 5.6, 8],
    [p99Ms, 724, 1_024],
  ]) {
    expect(ms).toBeGreaterThan(above);
    expect(ms).toBeLessThanOrEqual(upTo);
  }
  expect((await read('by=account', key)).series[0].points).toHaveLength(3);
});

test('an account sees nothing of another', async () => {
  expect((await read('by=account', second.key)).series).toEqual([
    expect.objectContaining({ account: second.id, points: [expect.objectContaining({ failed: 7 })] }),
  ]);
  expect((await read(`batch=${batch}`, second.key)).series).toEqual([]);
  expect((await read(`account=${second.id}`, second.key)).series).toHaveLength(1);
  for (const other of [first.id, '99999']) {
    const { status, json } = await api.call('GET', `/v1/statistics?account=${other}`, { key: second.key });
    expect([status, json.code]).toEqual([404, 'not_found']);
  }
});

test.each([
  ['step=week', 'validation_failed'],
  ['since=yesterday', 'validation_failed'],
  ['since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z', 'validation_failed'],
  ['step=minute&since=2020-01-01T00:00:00Z', 'validation_failed'],
  ['batch=none', 'validation_failed'],
  ['route=none', 'unknown_route'],
  ['account=99999', 'not_found'],
  ['what=1', 'validation_failed'],
])('%s is refused', async (query, code) => {
  const { status, json } = await api.call('GET', `/v1/statistics?${query}`);
  expect([json.code, status >= 400]).toEqual([code, true]);
});

test.each([
  ['day', '9999-12-31T00:00:00.000Z'],
  ['hour', '9999-12-31T23:00:00.000Z'],
  ['minute', '9999-12-31T23:59:00.000Z'],
])(
  'a time beyond all that can be written is answered as the beginning of the last %s',
  async (step, last) => {
    for (const until of ['9999-12-31T23:59:59Z', '9999-12-31T23:59:59-23:59']) {
      expect(await read(`step=${step}&until=${until}`)).toMatchObject({ until: last });
    }
  },
);

test('the last day that can be written has hours', async () => {
  const since = '9999-12-31T00:00:00.000Z';
  const until = '9999-12-31T23:00:00.000Z';
  const answer = await read(`step=hour&since=${since}&until=9999-12-31T23:59:59Z`);
  expect(answer).toMatchObject({ since, until, series: [] });
});

test('a span of too many steps names the limit and the way out', async () => {
  const { json } = await api.call('GET', '/v1/statistics?step=minute&since=2020-01-01T00:00:00Z');
  expect(json.errors[0].detail).toMatch(/the limit is 11000: ask for less time, or for longer steps/);
});

test('of a database that is not settled as its own an installation shows nothing', async () => {
  const [own, { url }] = await Promise.all([startApi(), createTestDatabase()]);
  const other = openDatabase({ url, poolSize: 2, name: 'events' });
  try {
    own.context.statistics = other;
    const refused = await own.call('GET', '/v1/statistics');
    expect([refused.status, refused.json.detail]).toEqual([
      503,
      expect.stringMatching(/eventsDatabase names/),
    ]);
    await settleTarget(own.context.database, other);
    expect((await own.call('GET', '/v1/statistics')).json).toMatchObject({ asOf: null, series: [] });
  } finally {
    await other.close();
    await own.stop();
  }
});
