import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DeliveryWorker, DeliveryWorkerSettings } from '../../src/delivery/delivery-worker.ts';
import { messageIdAt } from '../../src/message/id.ts';
import { limits } from '../../src/message/limits.ts';
import { requestOfMessage } from '../../src/store/decisions/request-decision.ts';
import { deliveryStatements } from '../../src/store/delivery/delivery-statements.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createMill, insertBatch, insertChunk, type Mill, pendingCount, testRoute, until } from './mill.ts';

let mill: Mill;

beforeEach(async () => {
  mill = createMill((await createTestDatabase()).url);
});

afterEach(async () => {
  await mill.close();
});

const refused = { kind: 'retry', error: { code: 'rate_limited', detail: 'slower' } } as const;

function inMs(ms: number): string {
  return new Date(Date.now() + ms).toISOString();
}

function line(number: number, times: { scheduledAt?: string; expiresAt?: string } = {}): string {
  return JSON.stringify({ to: `+3161234${1_000 + number}`, ...times });
}

function done(): Promise<void> {
  return until(async () => (await pendingCount(mill.database)) === 0);
}

async function statesOf(chunkId: string): Promise<unknown[]> {
  const { rows } = await mill.database.query(
    {
      name: 'test_states',
      text: 'SELECT state, attempt, count, error_code FROM outcome WHERE chunk_id = $1 ORDER BY seq',
    },
    [chunkId],
  );
  return rows;
}

/** How often each chunk is loaded by a worker with this store. */
function countingStore() {
  const store = deliveryStatements(mill.database);
  const loads = new Map<string, number>();
  const loadChunks: typeof store.loadChunks = async (keys) => {
    for (const id of keys.ids) loads.set(id, (loads.get(id) ?? 0) + 1);
    return await store.loadChunks(keys);
  };
  return { loads, store: { ...store, loadChunks } };
}

/** A worker that owns all shards already: what is scheduled from now on is found before its time. */
async function runningWorker(settings: Partial<DeliveryWorkerSettings> = {}): Promise<DeliveryWorker> {
  const worker = mill.worker(settings);
  worker.start();
  await until(() => worker.stats().shards === limits.shards);
  return worker;
}

/** When each message was handed over, by the clock that schedules are made with here. */
function arrivals(): Map<string, number> {
  const atMs = new Map<string, number>();
  mill.respond = ({ id }) => {
    atMs.set(id, Date.now());
    return { kind: 'sent' };
  };
  return atMs;
}

test('no message leaves before its time, and the chunk is loaded once for all', async () => {
  const { loads, store } = countingStore();
  const arrived = arrivals();
  await runningWorker({ store });
  const times = Array.from({ length: 12 }, (_, n) => inMs(300 + ((n * 7) % 12) * 60));
  const lines = [line(99), ...times.map((scheduledAt, n) => line(n, { scheduledAt }))];
  const chunkId = await insertChunk(mill.database, { lines, timed: true });
  await done();
  expect(mill.received).toHaveLength(13);
  for (const [n, time] of times.entries()) {
    expect(arrived.get(messageIdAt(chunkId, n + 1))).toBeGreaterThanOrEqual(Date.parse(time));
  }
  expect(mill.received.every(({ fields }) => Object.keys(fields).join() === 'to')).toBe(true);
  expect([...loads.values()]).toEqual([1]);
});

test('what is scheduled far ahead leaves memory until then', async () => {
  const far = inMs(3_600_000);
  const chunkId = await insertChunk(mill.database, {
    lines: [line(0), line(1, { scheduledAt: far })],
    timed: true,
  });
  const worker = mill.worker();
  worker.start();
  const dueAt = async () => {
    const { rows } = await mill.database.query<{ due: Date; remaining: Buffer | null }>({
      name: 'test_due_at',
      text: 'SELECT due_at AS due, remaining FROM pending',
    });
    return rows[0]!;
  };
  await until(async () => (await dueAt()).remaining !== null);
  const { due, remaining } = await dueAt();
  expect([...remaining!]).toEqual([0b10]);
  expect(Math.abs(due.getTime() - Date.parse(far))).toBeLessThan(5_000);
  await until(() => worker.stats().loadedChunks === 0);
  expect(mill.received.map(({ id }) => id)).toEqual([chunkId]);
});

test('the batch’s times hold for lines without their own', async () => {
  const arrived = arrivals();
  await runningWorker();
  const scheduledAt = inMs(400);
  const batch = await insertBatch(mill.database, { accepted: 3, defaults: { scheduledAt, from: 'M' } });
  const lines = [line(0), line(1, { scheduledAt: '2020-01-01T00:00:00Z' }), line(2)];
  const chunkId = await insertChunk(mill.database, { lines, batch, timed: true });
  await done();
  expect(mill.received).toHaveLength(3);
  for (const offset of [0, 2]) {
    expect(arrived.get(messageIdAt(chunkId, offset))).toBeGreaterThanOrEqual(Date.parse(scheduledAt));
  }
  expect(mill.received[0]!.fields).toMatchObject({ from: 'M' });
  expect(mill.received[0]!.fields).not.toHaveProperty('scheduledAt');
});

test('what expired is never sent, and its neighbours are', async () => {
  const expired = { expiresAt: '2020-01-01T00:00:00Z' };
  const chunkId = await insertChunk(mill.database, {
    lines: [line(0, expired), line(1), line(2, expired)],
    timed: true,
  });
  const batch = await insertBatch(mill.database, { accepted: 2, defaults: expired });
  const allOfBatch = await insertChunk(mill.database, { batch, count: 2 });
  mill.worker().start();
  await done();
  expect(mill.received.map(({ id }) => id)).toEqual([messageIdAt(chunkId, 1)]);
  expect(await statesOf(chunkId)).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ state: 6, attempt: 0, count: 2, error_code: 'expired' }),
    ]),
  );
  expect(await statesOf(allOfBatch)).toMatchObject([{ state: 6, attempt: 0, count: 2 }]);
});

test('what would be tried again only after it has expired is expired at once', async () => {
  mill.respond = () => ({ ...refused, retryAfterMs: 600_000 });
  const chunkId = await insertChunk(mill.database, {
    lines: [line(0, { expiresAt: inMs(60_000) })],
    timed: true,
  });
  mill.worker().start();
  await done();
  expect(mill.received).toHaveLength(1);
  expect(await statesOf(chunkId)).toMatchObject([{ state: 6, attempt: 1, error_code: 'rate_limited' }]);
});

test('what expired behind a paused route is not sent when the route goes on', async () => {
  mill.routes.set(1, { ...testRoute, paused: true });
  const expiresAt = inMs(300);
  const chunkId = await insertChunk(mill.database, { lines: [line(0, { expiresAt }), line(1)], timed: true });
  mill.worker().start();
  await until(() => Date.now() > Date.parse(expiresAt));
  expect(mill.received).toEqual([]);
  mill.routes.set(1, testRoute);
  mill.changeControl();
  await done();
  expect(mill.received.map(({ id }) => id)).toEqual([messageIdAt(chunkId, 1)]);
});

test('the time that a route gives a message counts from its schedule', async () => {
  mill.routes.set(1, { ...testRoute, retry: { ...testRoute.retry, expireAfterMs: 60_000 } });
  const unixMs = Date.now() - 3_600_000;
  const lines = [line(0, { scheduledAt: inMs(-30_000) }), line(1, { scheduledAt: inMs(-90_000) })];
  const chunkId = await insertChunk(mill.database, { lines, timed: true, unixMs });
  mill.worker().start();
  await done();
  expect(mill.received.map(({ id }) => id)).toEqual([chunkId]);
});

test('a message that is tried again waits for its retry, not for its schedule', async () => {
  const chunkId = await insertChunk(mill.database, {
    lines: [line(0, { scheduledAt: inMs(-1_000) }), line(1, { scheduledAt: inMs(250) })],
    timed: true,
  });
  mill.respond = ({ attempt }) => (attempt < 3 ? refused : { kind: 'sent' });
  mill.worker().start();
  await done();
  expect(mill.received.filter(({ id }) => id === chunkId).map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  expect(mill.received).toHaveLength(6);
});

test('a message that is canceled and replayed before its time still waits for it', async () => {
  const arrived = arrivals();
  await runningWorker();
  // Far later than two decisions take.
  const scheduledAt = inMs(6_000);
  const scheduled = (count: number) =>
    insertChunk(mill.database, {
      lines: Array.from({ length: count }, (_, n) => line(n, { scheduledAt })),
      timed: true,
    });
  const cancelAndReplay = async (count: number) => {
    const chunkId = await scheduled(count);
    const request = { messageId: chunkId, batch: null, count };
    await requestOfMessage(mill.database, { ...request, kind: 'cancel', filter: {} });
    await until(async () => (await statesOf(chunkId)).length === 1);
    await requestOfMessage(mill.database, { ...request, kind: 'replay', filter: { states: ['canceled'] } });
    await until(async () => (await statesOf(chunkId)).length === 2);
  };
  // Of the first, nothing is pending in between; the second stays in memory.
  await Promise.all([cancelAndReplay(1), cancelAndReplay(2)]);
  await done();
  expect(mill.received).toHaveLength(3);
  for (const atMs of arrived.values()) expect(atMs).toBeGreaterThanOrEqual(Date.parse(scheduledAt));
});

test('on a hold route, a message that expires while its mark is written does not leave', async () => {
  const store = deliveryStatements(mill.database);
  mill.routes.set(1, { ...testRoute, onUncertain: 'hold' });
  let marked = false;
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  await runningWorker({
    store: {
      ...store,
      async recordOutcomes(flush) {
        const recorded = await store.recordOutcomes(flush);
        if (!marked) {
          marked = true;
          await held;
        }
        return recorded;
      },
    },
  });
  const expiresAtMs = Date.now() + 1_500;
  const lines = [line(0, { expiresAt: new Date(expiresAtMs).toISOString() }), line(1)];
  const chunk = await insertChunk(mill.database, { lines, timed: true });
  await until(() => marked);
  await until(() => Date.now() > expiresAtMs + 100);
  release();
  await done();
  expect(mill.received.map(({ id }) => id)).toEqual([messageIdAt(chunk, 1)]);
  expect(await statesOf(chunk)).toContainEqual({ state: 6, attempt: 0, count: 1, error_code: 'expired' });
});
