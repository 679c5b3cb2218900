import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import type { OutgoingMessage } from '../../src/connectors/connector.ts';
import type { DeliveryWorker } from '../../src/delivery/delivery-worker.ts';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import { limits } from '../../src/message/limits.ts';
import type { DestinationLimit } from '../../src/message/route.ts';
import type { Shares } from '../../src/store/delivery/pace-grants.ts';
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

async function open({ batchMax = 10 } = {}): Promise<void> {
  mill = createMill((await createTestDatabase()).url, { batchMax, poolSize: 12 });
}

afterEach(() => mill.close());

const dutch = (count: number) => linesTo('+3161234', count);
const german = (count: number) => linesTo('+4915123', count);

function linesTo(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `{"to":"${prefix}${1_000 + n}","body":"hi"}`);
}

function limit(destinations: DestinationLimit[], more: Partial<typeof testRoute> = {}): void {
  const version = mill.routes.get(1)!.version + 1;
  mill.routes.set(1, { ...testRoute, ...more, ...(destinations.length > 0 && { destinations }), version });
  mill.changeControl();
}

function receivedFor(prefix: string): OutgoingMessage[] {
  return mill.received.filter(({ fields }) => fields.to.startsWith(prefix));
}

function expectEachOnce(count: number): void {
  expect(new Set(mill.received.map(({ id }) => id)).size).toBe(count);
  expect(mill.received).toHaveLength(count);
}

/** What a rate and its burst allow since a moment. */
function allowance(ratePerSecond: number): () => number {
  const beganAtMs = systemClock.monotonicMs();
  return () =>
    Math.max(1, ratePerSecond / 10) + ((systemClock.monotonicMs() - beganAtMs) / 1_000) * ratePerSecond;
}

/** Messages that match are answered when the test says so, the first one first. */
function withhold(prefix: string): (() => void)[] {
  const unanswered: (() => void)[] = [];
  mill.respond = async ({ fields }) => {
    if (fields.to.startsWith(prefix)) await new Promise<void>((resolve) => unanswered.push(resolve));
    return { kind: 'sent' };
  };
  return unanswered;
}

/** Requests at once, at most, by what `placeOf` makes of a recipient. */
function watchRequests(placeOf: (to: string) => string): Map<string, number> {
  const open = new Map<string, number>();
  const most = new Map<string, number>();
  mill.respond = async ({ fields }) => {
    const place = placeOf(fields.to);
    const now = (open.get(place) ?? 0) + 1;
    open.set(place, now);
    most.set(place, Math.max(most.get(place) ?? 0, now));
    await sleep(5);
    open.set(place, open.get(place)! - 1);
    return { kind: 'sent' };
  };
  return most;
}

/** The most within any second. */
function mostWithinSecond(atMs: readonly number[]): number {
  let most = 0;
  for (let from = 0, to = 0; to < atMs.length; to++) {
    while (atMs[to]! - atMs[from]! > 1_000) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

async function startWorkers(count: number): Promise<DeliveryWorker[]> {
  const workers = Array.from({ length: count }, () => mill.worker({ leaseMs: 20_000 }));
  for (const worker of workers) worker.start();
  const shards = Math.floor(1_024 / count);
  await until(() => workers.every((worker) => [shards, shards + 1].includes(worker.stats().shards)));
  return workers;
}

async function shareOf(worker: DeliveryWorker, key: string): Promise<number> {
  const { rows } = await mill.database.query<{ shares: Shares }>(
    { name: 'test_shares', text: 'SELECT shares FROM pace_grant WHERE worker = $1' },
    [worker.stats().workerId],
  );
  return rows[0]?.shares[key] ?? 0;
}

function done(): Promise<void> {
  return until(async () => (await pendingCount(mill.database)) === 0);
}

test('a slow prefix holds up neither the rest of its chunk nor others, and is set free amid it', async () => {
  await open();
  limit([{ match: '+31', ratePerSecond: 20 }]);
  await insertChunk(mill.database, { lines: [...dutch(400), ...german(400)] });
  await insertChunk(mill.database, { accountId: 2, priority: 0, lines: german(100) });
  const allowed = allowance(20);
  mill.worker().start();
  await until(() => receivedFor('+49').length === 500);
  expect(receivedFor('+31').length).toBeLessThanOrEqual(allowed());
  await until(() => receivedFor('+31').length >= 10);
  expect(receivedFor('+31').length).toBeLessThanOrEqual(allowed());
  limit([]);
  await done();
  expectEachOnce(900);
});

test('a message that names two recipients goes by the limit of the one that counts', async () => {
  await open({ batchMax: 1 });
  limit([
    { match: '+31', concurrency: 3 },
    { match: '+49', concurrency: 1 },
  ]);
  const most = watchRequests((to) => to.slice(0, 3));
  const named = dutch(40).map((line, n) => line.replace('"body"', `"to":"+4915${n}","body"`));
  await insertChunk(mill.database, { lines: [...dutch(20), ...named] });
  mill.worker().start();
  await done();
  expect(Object.fromEntries(most)).toEqual({ '+31': 3, '+49': 1 });
  expectEachOnce(60);
});

test('requests at once to one host keep to its concurrency, while those to others go on', async () => {
  await open({ batchMax: 1 });
  limit([{ match: '*', concurrency: 2 }]);
  const lines = Array.from(
    { length: 60 },
    (_, n) => `{"to":"https://${n % 2 ? 'slow' : 'fast'}.example/${n}"}`,
  );
  const unanswered: (() => void)[] = [];
  let atOnceMax = 0;
  mill.respond = async ({ fields }) => {
    if (fields.to.startsWith('https://slow.')) {
      await new Promise<void>((resolve) => {
        unanswered.push(resolve);
        atOnceMax = Math.max(atOnceMax, unanswered.length);
      });
    }
    return { kind: 'sent' };
  };
  await insertChunk(mill.database, { lines });
  mill.worker().start();
  await until(() => receivedFor('https://fast.').length === 30 && unanswered.length === 2);
  for (let answered = 0; answered < 30; answered++) {
    await until(() => unanswered.length > 0);
    unanswered.shift()!();
  }
  await done();
  expect(atOnceMax).toBe(2);
  expectEachOnce(60);
});

test('two workers share the rate of a destination', async () => {
  await open();
  limit([{ match: '+31', ratePerSecond: 40 }]);
  const workers = [mill.worker(), mill.worker()];
  for (const worker of workers) worker.start();
  await until(() => workers.every((worker) => worker.stats().shards === 512));
  const allowed = allowance(40);
  for (let chunk = 0; chunk < 40; chunk++) await insertChunk(mill.database, { lines: dutch(20) });
  await until(() => mill.received.length >= 60);
  // A bucket of each worker begins full.
  expect(mill.received.length).toBeLessThanOrEqual(allowed() + 4);
  limit([]);
  await done();
  expectEachOnce(800);
});

test('the worker that has all the messages for a destination gets nearly its whole rate, then the other one does', async () => {
  const ratePerSecond = 100;
  await open();
  limit([{ match: '+31', ratePerSecond }]);
  const [a, b] = await startWorkers(2);
  const atMs: number[] = [];
  mill.respond = () => {
    atMs.push(systemClock.monotonicMs());
    return { kind: 'sent' };
  };
  const allowed = allowance(ratePerSecond);
  for (const worker of [a!, b!]) {
    const shard = worker.heldShards()[0]!;
    await insertChunk(mill.database, { shard, lines: dutch(400) });
    await until(async () => (await shareOf(worker, 'drate:1:+31')) > 0.9);
    expect(await pendingCount(mill.database)).toBe(1);
    await done();
    expect(atMs.length).toBeLessThanOrEqual(allowed() + 1);
  }
  // An equal part would be half of it.
  expect(mostWithinSecond(atMs)).toBeGreaterThan(0.6 * ratePerSecond);
  expect(mostWithinSecond(atMs)).toBeLessThanOrEqual(1.1 * ratePerSecond + 2);
  expectEachOnce(800);
});

test('three workers share one connection to a prefix, and one to each host: never two at once, and each has its turn', async () => {
  await open({ batchMax: 1 });
  limit([
    { match: '+31', concurrency: 1 },
    { match: '*', concurrency: 1 },
  ]);
  const most = watchRequests((to) => (to.startsWith('+') ? to.slice(0, 3) : new URL(to).host));
  const workers = await startWorkers(3);
  const lines = ['a', 'b'].flatMap((host) =>
    Array.from({ length: 20 }, (_, n) => `{"to":"https://${host}.example/${n}"}`),
  );
  for (const worker of workers)
    for (const shard of worker.heldShards().slice(0, 3))
      await insertChunk(mill.database, { shard, lines: [...dutch(20), ...german(20), ...lines] });
  await until(async () => (await pendingCount(mill.database)) === 0, 60_000);
  expect(Object.fromEntries(most)).toMatchObject({ '+31': 1, 'a.example': 1, 'b.example': 1 });
  expect(most.get('+49')).toBeGreaterThan(1);
  expect(workers.map((worker) => worker.stats().counts.sent)).toEqual([240, 240, 240]);
  expectEachOnce(720);
}, 90_000);

test('where a route too has fewer connections than workers, what each has for the destination leaves beside the rest', async () => {
  await open({ batchMax: 1 });
  limit([{ match: '+31', concurrency: 1 }], { concurrency: 2 });
  const most = watchRequests((to) => to.slice(0, 3));
  const workers = await startWorkers(3);
  for (const worker of workers) {
    const [shard] = worker.heldShards();
    await insertChunk(mill.database, { shard: shard!, lines: dutch(20) });
  }
  // Others have something to send all the time.
  const [shard] = workers[0]!.heldShards();
  for (let chunk = 0; chunk < 4; chunk++)
    await insertChunk(mill.database, { shard: shard!, accountId: 2, lines: german(400) });
  await until(() => receivedFor('+31').length === 60, 60_000);
  expect(most.get('+31')).toBe(1);
  await until(async () => (await pendingCount(mill.database)) === 0, 60_000);
  expectEachOnce(1_660);
}, 180_000);

test('what waits for its destination stays pending when its worker stops, and the next one sends it', async () => {
  await open();
  limit([{ match: '+31', ratePerSecond: 5 }]);
  await insertChunk(mill.database, { lines: [...dutch(100), ...german(100)] });
  const first = mill.worker();
  first.start();
  await until(() => receivedFor('+49').length === 100);
  await first.stop({ deadlineMs: 5_000 });
  expect(await pendingCount(mill.database)).toBe(1);
  limit([{ match: '+31', ratePerSecond: 5_000 }]);
  mill.worker().start();
  await done();
  expectEachOnce(200);
});

test('a canceled batch leaves nothing of what waited for its destination, and its neighbour goes on', async () => {
  await open();
  limit([{ match: '+31', ratePerSecond: 10 }]);
  const batch = await insertBatch(mill.database, { accepted: 300 });
  await insertChunk(mill.database, { batch, lines: [...dutch(200), ...german(100)] });
  mill.worker().start();
  await until(() => receivedFor('+49').length === 100);
  await mill.database.query(
    { name: 'test_cancel', text: 'UPDATE batch SET canceled_at = now() WHERE id = $1' },
    [batch],
  );
  await done();
  const sent = mill.received.length;
  expect(sent).toBeLessThan(300);
  expect(await progressOf(mill.database, batch)).toMatchObject({ 100: 300, 3: sent, 7: 300 - sent });
  await insertChunk(mill.database, { lines: dutch(3) });
  await done();
  expectEachOnce(sent + 3);
});

test('a retried message keeps to its destination, also on a route that marks what leaves', async () => {
  await open({ batchMax: 5 });
  limit([{ match: '+31', ratePerSecond: 100, concurrency: 1 }], { onUncertain: 'hold' });
  mill.respond = ({ attempt }) =>
    attempt === 1
      ? { kind: 'retry', error: { code: 'rejected_for_now', detail: 'later' } }
      : { kind: 'sent' };
  await insertChunk(mill.database, { lines: [...dutch(20), ...german(20)] });
  const allowed = allowance(100);
  mill.worker().start();
  await done();
  expect(mill.received).toHaveLength(80);
  expect(receivedFor('+31').length).toBeLessThanOrEqual(allowed());
});

test('what expires while it waits for its destination comes to its end, though there is no room', async () => {
  await open({ batchMax: 1 });
  // Long for what happens before, on a machine that is busy.
  limit([{ match: '+31', concurrency: 1 }], { retry: { ...testRoute.retry, expireAfterMs: 4_000 } });
  const unanswered = withhold('+31');
  const worker = mill.worker();
  worker.start();
  await until(() => worker.stats().shards === limits.shards);
  const batch = await insertBatch(mill.database, { accepted: 100 });
  await insertChunk(mill.database, { batch, lines: dutch(100) });
  await until(() => worker.stats().lanes[0]?.aside === 99);
  await until(async () => (await progressOf(mill.database, batch))[6] === 99);
  expect(unanswered).toHaveLength(1);
  expect(worker.stats().lanes[0]!.aside).toBe(0);
  unanswered.shift()!();
  await done();
  expectEachOnce(1);
});

test('requests to a destination keep to its concurrency while a part of it goes to a worker that has just come', async () => {
  await open({ batchMax: 1 });
  limit([{ match: '+31', concurrency: 4 }], { concurrency: 8 });
  const unanswered = withhold('+31');
  const first = mill.worker();
  first.start();
  await insertChunk(mill.database, { lines: dutch(40) });
  await until(() => unanswered.length === 4);
  const second = mill.worker();
  second.start();
  await until(() => second.stats().shards > 0);
  const own = second.heldShards()[0]!;
  await insertChunk(mill.database, { shard: own, lines: [...dutch(40), ...german(40)] });
  // It has its part of the route, and of the destination what the first one does not use.
  await until(() => second.stats().counts.sent === 40 && second.stats().lanes[0]?.aside === 40);
  expect(unanswered).toHaveLength(4);
  for (let answered = 0; answered < 80; answered++) {
    await until(() => unanswered.length > 0);
    expect(unanswered.length).toBeLessThanOrEqual(4);
    unanswered.shift()!();
  }
  await done();
  expectEachOnce(120);
});

test('a worker whose messages all wait for a destination leaves the rate of the route to the others', async () => {
  await open({ batchMax: 100 });
  limit([{ match: '+31', ratePerSecond: 1 }], { ratePerSecond: 1_000 });
  const workers = [mill.worker(), mill.worker()];
  for (const worker of workers) worker.start();
  await until(() => workers.every((worker) => worker.stats().shards === 512));
  const [stuck, free] = workers as [(typeof workers)[0], (typeof workers)[0]];
  const shard = stuck.heldShards()[0]!;
  for (let chunk = 0; chunk < 14; chunk++)
    await insertChunk(mill.database, { shard, lines: linesTo('+3161234', 1_000) });
  await until(() => (stuck.stats().lanes[0]?.aside ?? 0) >= 10_000, 60_000);
  const other = free.heldShards()[0]!;
  for (let chunk = 0; chunk < 10; chunk++)
    await insertChunk(mill.database, { shard: other, accountId: 2, lines: linesTo('+4915123', 1_000) });
  await until(() => free.stats().lanes.some(({ accountId, share }) => accountId === 2 && share > 0.8));
});

test('no timer is set for longer than Node bears, however slow a route or a destination is', async () => {
  const delaysMs: number[] = [];
  const clock: Clock = {
    ...systemClock,
    after(ms, run) {
      delaysMs.push(ms);
      return systemClock.after(Math.min(ms, 1_000), run);
    },
  };
  await open({ batchMax: 1 });
  limit([{ match: '+31', ratePerSecond: 1e-9 }]);
  mill.routes.set(2, { ...testRoute, id: 2, ratePerSecond: 1e-9 });
  mill.worker({ clock }).start();
  await insertChunk(mill.database, { lines: dutch(2) });
  await insertChunk(mill.database, { routeId: 2, lines: german(2) });
  await until(() => receivedFor('+31').length === 1);
  await until(() => delaysMs.filter((ms) => ms >= 60_000).length >= 2);
  expect(Math.max(...delaysMs)).toBeLessThan(2 ** 31);
});
