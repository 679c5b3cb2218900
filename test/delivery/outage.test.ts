import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Answer } from '../../src/connectors/connector.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createTestDatabase } from '../support/postgres.ts';
import {
  createMill,
  insertBatch,
  insertChunk,
  type Mill,
  pendingCount,
  progressOf,
  testRoute,
  until,
} from './mill.ts';

let mill: Mill;

beforeEach(async () => {
  mill = createMill((await createTestDatabase()).url, { batchMax: 10 });
});

afterEach(async () => {
  await mill.close();
});

const down: Answer = { kind: 'retry', error: { code: 'connection_refused', detail: 'down' } };
const up: Answer = { kind: 'sent' };

/** The provider's, once it is back. */
const latencyMs = 20;

/** How many came within each second from the first on. */
function countsBySecond(timesMs: number[]): number[] {
  const counts: number[] = [];
  for (const atMs of timesMs) {
    const second = Math.floor((atMs - timesMs[0]!) / 1_000);
    counts[second] = (counts[second] ?? 0) + 1;
  }
  return Array.from(counts, (count) => count ?? 0);
}

/** Attempts, and those of them that were first ones, since the last call. */
function attemptsSince(from: number): { all: number; first: number } {
  const attempts = mill.received.slice(from);
  return { all: attempts.length, first: attempts.filter(({ attempt }) => attempt === 1).length };
}

async function insertBatchOf(chunks: number, count: number): Promise<string> {
  const batch = await insertBatch(mill.database, { accepted: chunks * count });
  for (let n = 0; n < chunks; n++) await insertChunk(mill.database, { batch, count });
  return batch;
}

test('through a total outage attempts stay within 1.1 times first attempts, and all is delivered after it', async () => {
  const breaker = { ...testRoute.breaker, openMs: 50, openMaxMs: 200 } as typeof testRoute.breaker;
  mill.routes.set(1, { ...testRoute, concurrency: 16, breaker });
  const batch = await insertBatchOf(8, 500);
  mill.respond = () => down;
  const worker = mill.worker();
  worker.start();
  await until(() => worker.stats().lanes[0]?.breaker === 'open');
  const openedAtMs = systemClock.monotonicMs();
  await until(() => systemClock.monotonicMs() - openedAtMs > 3_000);
  const { all, first } = attemptsSince(0);
  expect(first).toBeGreaterThan(100);
  expect(all).toBeLessThanOrEqual(1.1 * first);
  const sentAtMs: number[] = [];
  mill.respond = async () => {
    sentAtMs.push(systemClock.monotonicMs());
    await sleep(latencyMs);
    return up;
  };
  await until(async () => (await pendingCount(mill.database)) === 0, 40_000);
  const perSecond = countsBySecond(sentAtMs);
  // One message at a time, and three probes: the first two steps take a second at least.
  expect(perSecond[0]).toBeLessThanOrEqual(1_000 / latencyMs + 3);
  expect(Math.max(...perSecond)).toBeGreaterThan(5 * perSecond[0]!);
  expect(await progressOf(mill.database, batch)).toMatchObject({ 100: 4_000, 3: 4_000, 2: 0 });
  expect(mill.received.length).toBeLessThan(4_000 * 1.1);
});

test('without a breaker the budget alone keeps retries to a tenth', async () => {
  mill.routes.set(1, { ...testRoute, breaker: false });
  await insertBatchOf(4, 500);
  mill.respond = () => down;
  const worker = mill.worker();
  worker.start();
  await until(() => attemptsSince(0).first === 2_000);
  const triedAtMs = systemClock.monotonicMs();
  await until(() => systemClock.monotonicMs() - triedAtMs > 3_000);
  expect(attemptsSince(0).all).toBeLessThanOrEqual(2_200);
  mill.respond = () => up;
  await until(async () => (await pendingCount(mill.database)) === 0, 60_000);
  expect(new Set(mill.received.map(({ id }) => id)).size).toBe(2_000);
});

test('refused retries wait without being written again and again', async () => {
  mill.routes.set(1, { ...testRoute, breaker: false });
  const chunkId = await insertChunk(mill.database, { count: 200 });
  mill.respond = () => down;
  mill.worker().start();
  await until(() => attemptsSince(0).first === 200);
  await until(async () => (await writesOf(chunkId)) > 0);
  const [attempts, beganAtMs] = [mill.received.length, systemClock.monotonicMs()];
  await until(() => systemClock.monotonicMs() - beganAtMs > 3_000);
  // Each attempt may be written, with the rest that follows it.
  const tried = mill.received.length - attempts;
  expect(tried).toBeLessThan(30);
  expect(await writesOf(chunkId)).toBeLessThan(30 + 2 * tried);
});

/** Rows of outcomes of a chunk. */
async function writesOf(chunkId: string): Promise<number> {
  const { rows } = await mill.database.query<{ count: number }>(
    { name: 'test_writes', text: 'SELECT count(*)::int AS count FROM outcome WHERE chunk_id = $1' },
    [chunkId],
  );
  return rows[0]!.count;
}
