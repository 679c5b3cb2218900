import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Answer } from '../../src/connectors/connector.ts';
import { LaneReporter } from '../../src/delivery/observe/lane-reporter.ts';
import type { RouteBreakerChange } from '../../src/delivery/sending/route-watch.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { LaneReport } from '../../src/store/delivery/worker-reports.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createMill, insertChunk, type Mill, pendingCount, testRoute, until } from './mill.ts';

let mill: Mill;

beforeEach(async () => {
  mill = createMill((await createTestDatabase()).url);
});

afterEach(async () => {
  await mill.close();
});

const down: Answer = { kind: 'retry', error: { code: 'connection_refused', detail: 'down' } };

test('an outage is told by each change of the breaker with the last error, and by what the lanes report', async () => {
  const breaker = {
    ...testRoute.breaker,
    requestsMin: 5,
    openMs: 50,
    openMaxMs: 100,
  } as typeof testRoute.breaker;
  mill.routes.set(1, { ...testRoute, concurrency: 2, breaker });
  await insertChunk(mill.database, { count: 50 });
  mill.respond = () => down;
  const changes: RouteBreakerChange[] = [];
  const worker = mill.worker({ onBreaker: (change) => changes.push(change) });
  worker.start();
  await until(() => changes.length >= 3);
  expect(changes.slice(0, 3)).toEqual([
    { route: 'test', from: 'closed', to: 'open', errorCode: 'connection_refused' },
    { route: 'test', from: 'open', to: 'half-open', errorCode: 'connection_refused' },
    { route: 'test', from: 'half-open', to: 'open', errorCode: 'connection_refused' },
  ]);

  const [lane] = await reportOf(worker);
  expect(lane!.failing).toBeGreaterThanOrEqual(5);
  expect(lane!.lastError!.code).toBe('connection_refused');
  expect(Math.abs(Date.parse(lane!.lastError!.at) - Date.now())).toBeLessThan(60_000);

  mill.respond = () => ({ kind: 'sent' });
  await until(async () => (await pendingCount(mill.database)) === 0);
  expect(changes.at(-1)).toMatchObject({ from: 'half-open', to: 'closed' });
  for (let n = 1; n < changes.length; n++) expect(changes[n]!.from).toBe(changes[n - 1]!.to);
});

test('a lane tells its own last error, and of its neighbours only what keeps the provider from all', async () => {
  let failOther = false;
  mill.routes.set(1, { ...testRoute, breaker: false });
  mill.respond = ({ fields }) => {
    if (fields.body !== 'other')
      return { kind: 'retry', error: { code: 'mine', detail: 'later' }, retryAfterMs: 1 };
    return failOther ? down : { kind: 'rejected', error: { code: 'theirs', detail: 'no such number' } };
  };
  const worker = mill.worker();
  worker.start();
  await insertChunk(mill.database, { accountId: 1 });
  const laneOf = async (accountId: number) =>
    (await reportOf(worker)).find((lane) => lane.accountId === accountId);
  await until(async () => (await laneOf(1))?.lastError?.code === 'mine');
  await insertChunk(mill.database, { accountId: 2, lines: ['{"to":"+31612345678","body":"other"}'] });
  await until(() => worker.stats().counts.failed === 1);
  expect((await laneOf(1))!.lastError!.code).toBe('mine');
  failOther = true;
  await insertChunk(mill.database, { accountId: 2, lines: ['{"to":"+31612345678","body":"other"}'] });
  await until(async () => (await laneOf(1))?.lastError?.code === 'connection_refused');
  expect((await laneOf(1))!.failing).toBeGreaterThanOrEqual(3);
});

async function reportOf(worker: ReturnType<Mill['worker']>): Promise<LaneReport[]> {
  let lanes: LaneReport[] = [];
  // Two looks, a second apart: a speed has two ends.
  let nowMs = 0;
  const reporter = new LaneReporter({
    clock: { ...systemClock, monotonicMs: () => (nowMs += 1_000) },
    store: {
      reportsWanted: async () => true,
      saveReport: async (report) => {
        lanes = report.lanes;
      },
    },
    worker,
    activity: { counts: () => [], errors: () => [] },
  });
  await reporter.runOnce();
  await reporter.runOnce();
  return lanes;
}
