import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import type { Shares } from '../../src/store/delivery/pace-grants.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createMill, insertBatch, insertChunk, type Mill, pendingCount, testRoute, until } from './mill.ts';

let mill: Mill;
/** When each message was handed over. */
let atMs: number[];
/** Requests at the provider, now and at most. */
let open = 0;
let openMax = 0;

beforeEach(async () => {
  mill = createMill((await createTestDatabase()).url, { poolSize: 12 });
  [atMs, open, openMax] = [[], 0, 0];
  mill.respond = async () => {
    atMs.push(systemClock.monotonicMs());
    openMax = Math.max(openMax, ++open);
    await sleep(5);
    open--;
    return { kind: 'sent' };
  };
});

afterEach(async () => {
  await mill.close();
});

async function insertOn(shards: number[], chunks: number, count: number): Promise<void> {
  const batch = await insertBatch(mill.database, { accepted: chunks * count });
  for (let n = 0; n < chunks; n++) {
    await insertChunk(mill.database, { batch, count, shard: shards[n % shards.length]! });
  }
}

async function shardsOf(worker: string): Promise<number[]> {
  const { rows } = await mill.database.query<{ shard: number }>(
    { name: 'test_shards_of', text: 'SELECT shard FROM shard_owner WHERE worker = $1 ORDER BY shard' },
    [worker],
  );
  return rows.map(({ shard }) => shard);
}

async function grants(): Promise<Shares[]> {
  const { rows } = await mill.database.query<{ shares: Shares }>({
    name: 'test_grants',
    text: 'SELECT shares FROM pace_grant ORDER BY worker',
  });
  return rows.map(({ shares }) => shares);
}

/** The most messages within any second. */
function mostWithinSecond(): number {
  let most = 0;
  for (let from = 0, to = 0; to < atMs.length; to++) {
    while (atMs[to]! - atMs[from]! > 1_000) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

async function startTwo() {
  const workers = [mill.worker(), mill.worker()] as const;
  for (const worker of workers) worker.start();
  await until(() => workers.every((worker) => worker.stats().shards === 512));
  await until(async () => (await grants()).filter((shares) => shares['*'] === 0.5).length === 2);
  return workers;
}

test('two workers stay within the rate while demand moves from one to the other, and each may use nearly all', async () => {
  const ratePerSecond = 200;
  mill.routes.set(1, { ...testRoute, ratePerSecond });
  const [a, b] = await startTwo();
  const [ofA, ofB] = await Promise.all([shardsOf(a.stats().workerId), shardsOf(b.stats().workerId)]);
  await insertOn(ofA, 4, 150);
  await until(async () => (await grants()).some((shares) => shares['rate:1']! > 0.9));
  expect(await pendingCount(mill.database)).toBeGreaterThan(0);
  await until(async () => (await pendingCount(mill.database)) === 0);
  expect(b.stats().counts.sent).toBe(0);
  await insertOn(ofB, 4, 100);
  await insertOn(ofA, 1, 50);
  await until(async () => (await pendingCount(mill.database)) === 0);
  expect(a.stats().counts.sent + b.stats().counts.sent).toBe(1_050);
  // A bucket holds a tenth of a second; both may have been full.
  expect(mostWithinSecond()).toBeLessThanOrEqual(ratePerSecond * 1.1 + 1);
});

test('three workers share two connections: never more at the provider, and everybody gets a turn', async () => {
  mill.routes.set(1, { ...testRoute, concurrency: 2 });
  const workers = [1, 2, 3].map(() => mill.worker({ leaseMs: 20_000 }));
  for (const worker of workers) worker.start();
  await until(() => workers.reduce((sum, worker) => sum + worker.stats().shards, 0) === 1_024);
  await until(() => workers.every((worker) => [341, 342].includes(worker.stats().shards)));
  const shards = await Promise.all(workers.map((worker) => shardsOf(worker.stats().workerId)));
  for (const owned of shards) await insertOn(owned, 20, 5);
  await until(async () => (await pendingCount(mill.database)) === 0, 40_000);
  expect(openMax).toBeLessThanOrEqual(2);
  expect(workers.map((worker) => worker.stats().counts.sent)).toEqual([100, 100, 100]);
});

test('a changed limit holds on all workers as soon as they hear of it', async () => {
  mill.routes.set(1, { ...testRoute, ratePerSecond: 1_000 });
  await startTwo();
  await insertOn(
    Array.from({ length: 1_024 }, (_, shard) => shard),
    60,
    50,
  );
  await until(() => atMs.length > 300);
  mill.routes.set(1, { ...testRoute, ratePerSecond: 20 });
  mill.changeControl();
  const changedAtMs = systemClock.monotonicMs();
  await until(() => systemClock.monotonicMs() - changedAtMs > 1_500);
  const seconds = (systemClock.monotonicMs() - changedAtMs) / 1_000;
  const since = atMs.filter((sentAtMs) => sentAtMs > changedAtMs).length;
  expect(since).toBeLessThanOrEqual(seconds * 20 + 10);
  mill.routes.set(1, { ...testRoute });
  mill.changeControl();
  await until(async () => (await pendingCount(mill.database)) === 0);
});

test('what a worker had goes to the other when it stops, and when it dies', async () => {
  const [a, b] = await startTwo();
  await a.stop({ deadlineMs: 5_000 });
  await until(async () => JSON.stringify(await grants()) === '[{"*":1}]');
  const c = mill.worker({ leaseMs: 1_000 });
  c.start();
  await until(async () => (await grants()).filter((shares) => shares['*'] === 0.5).length === 2);
  await mill.database.query({ name: 'test_gone', text: 'DELETE FROM worker WHERE id = $1' }, [
    b.stats().workerId,
  ]);
  // It comes back under another id, without a share until it gets a new one.
  await until(async () => (await grants()).filter((shares) => shares['*'] === 0.5).length === 2);
  await insertOn([1, 2, 3], 3, 10);
  await until(async () => (await pendingCount(mill.database)) === 0);
});

test('a worker that leaves gives back connections as its requests are answered, not only when all are', async () => {
  mill.routes.set(1, { ...testRoute, concurrency: 8 });
  const answers: (() => void)[] = [];
  mill.respond = () => new Promise((resolve) => answers.push(() => resolve({ kind: 'sent' })));
  const [a] = await startTwo();
  const { workerId } = a.stats();
  const inUse = async () => {
    const { rows } = await mill.database.query<{ used: { shares: Shares } }>(
      { name: 'test_used', text: 'SELECT used FROM pace_demand WHERE worker = $1' },
      [workerId],
    );
    return rows[0]?.used.shares['conn:1'];
  };
  await insertOn((await shardsOf(workerId)).slice(0, 4), 4, 1);
  await until(() => answers.length === 4);
  const stopped = a.stop({ deadlineMs: 60_000 });
  await until(async () => (await inUse()) === 0.5);
  for (const answer of answers.slice(0, 2)) answer();
  await until(async () => (await inUse()) === 0.25);
  for (const answer of answers.slice(2)) answer();
  await stopped;
});
