import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import { stateNumber } from '../../src/message/state.ts';
import { pauseBatch, resumeBatch } from '../../src/store/decisions/hold-batch.ts';
import { deliveryStatements } from '../../src/store/delivery/delivery-statements.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { connecting } from './connecting.ts';
import { createMill, insertBatch, insertChunk, type Mill, pendingCount, testRoute, until } from './mill.ts';

/** Longer than any lease here. */
const suspensionMs = 60_000;
let mill: Mill;
let suspendedMs: number;
/** What a process that is suspended finds when it goes on. */
const clock: Clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + suspendedMs };

beforeEach(async () => {
  mill = createMill((await createTestDatabase()).url);
  suspendedMs = 0;
});

afterEach(async () => {
  await mill.close();
});

function done(): Promise<void> {
  return until(async () => (await pendingCount(mill.database)) === 0);
}

function signal(): { given: Promise<void>; give: () => void } {
  let give = () => {};
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give };
}

/** Once the worker was suspended, what is held is read no sooner than told; its beats are counted from then on. */
function readingLate() {
  const store = deliveryStatements(mill.database);
  const read = signal();
  const late = async <Result>(readHeld: () => Promise<Result>): Promise<Result> => {
    if (suspendedMs > 0) await read.given;
    return await readHeld();
  };
  const counted = { beats: 0 };
  const lateStore = {
    ...store,
    readHeldBatches: () => late(store.readHeldBatches),
    readHeldDigest: () => late(store.readHeldDigest),
    async beatWorker(id: string) {
      const answer = await store.beatWorker(id);
      if (suspendedMs > 0) counted.beats++;
      return answer;
    },
  };
  return { store: lateStore, counted, read };
}

test('a worker that is suspended between two sends begins no further one when its lease has run out', async () => {
  await insertChunk(mill.database, { count: 10 });
  let begun = 0;
  mill.respond = async () => {
    if (suspendedMs === 0) {
      suspendedMs = suspensionMs;
      // Whatever the worker begins in the same turn has begun when this goes on.
      await Promise.resolve();
      begun = mill.received.length;
    }
    return { kind: 'sent' };
  };
  mill.worker({ clock }).start();
  await done();
  expect(begun).toBe(1);
  expect(mill.received).toHaveLength(10);
});

test('a worker whose lease had run out sends nothing before it has read again what is held', async () => {
  const batch = await insertBatch(mill.database, { accepted: 10 });
  await insertChunk(mill.database, { count: 10, batch });
  const { store, counted, read } = readingLate();
  let begun = 0;
  mill.respond = async () => {
    if (suspendedMs === 0) {
      await pauseBatch(mill.database, { batch, accountId: 1 });
      begun = mill.received.length;
      suspendedMs = suspensionMs;
    }
    return { kind: 'sent' };
  };
  mill.routes.set(1, { ...testRoute, concurrency: 1 });
  mill.worker({ clock, store, leaseMs: 1_500 }).start();
  // The lease stands again, and by the second beat all has been begun that would have been.
  await until(() => counted.beats > 1);
  expect(mill.received).toHaveLength(begun);
  read.give();
  await resumeBatch(mill.database, { batch, accountId: 1 });
  await done();
  expect(mill.received).toHaveLength(10);
});

test('a send whose connection is there when the lease stands again begins only when it has been read what is held', async () => {
  const batch = await insertBatch(mill.database, { accepted: 3 });
  await insertChunk(mill.database, { count: 3, batch });
  const { store, counted, read } = readingLate();
  const connected = signal();
  let sends = 0;
  const connectors = connecting(mill.received, () => {
    sends++;
    return connected.given;
  });
  mill.worker({ clock, connectors, store, leaseMs: 1_500 }).start();
  await until(() => sends === 3);
  await pauseBatch(mill.database, { batch, accountId: 1 });
  suspendedMs = suspensionMs;
  await until(() => counted.beats > 1);
  connected.give();
  // All of them have asked by then.
  await new Promise((resolve) => setImmediate(resolve));
  expect(mill.received).toEqual([]);
  read.give();
  await resumeBatch(mill.database, { batch, accountId: 1 });
  await done();
  expect(mill.received.map(({ attempt }) => attempt)).toEqual([1, 1, 1]);
});

test.each(['resend', 'hold'] as const)(
  'a send that was kept from beginning is no attempt, and begins when the lease stands again: %s',
  async (onUncertain) => {
    mill.routes.set(1, { ...testRoute, onUncertain, retry: { ...testRoute.retry, attemptsMax: 1 } });
    await insertChunk(mill.database, { count: 5 });
    let sends = 0;
    const connectors = connecting(mill.received, async () => {
      sends++;
      suspendedMs = suspensionMs;
    });
    mill.worker({ clock, connectors }).start();
    await done();
    expect(sends).toBeGreaterThan(5);
    expect(mill.received.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1, 1]);
    const { rows } = await mill.database.query(
      {
        name: 'test_ends',
        text: 'SELECT sum(count)::int AS messages FROM outcome WHERE state = $1',
      },
      [stateNumber.sent],
    );
    expect(rows).toEqual([{ messages: 5 }]);
  },
);

test('a lease that was renewed lets nothing begin of a shard that was lost before', async () => {
  await insertChunk(mill.database, { count: 5 });
  let sends = 0;
  let connect = (): void => {};
  const connected = new Promise<void>((resolve) => {
    connect = resolve;
  });
  const connectors = connecting(mill.received, () => {
    sends++;
    return connected;
  });
  const worker = mill.worker({ connectors });
  worker.start();
  await until(() => sends === 5);
  await mill.database.query({ name: 'test_remove', text: 'DELETE FROM worker' });
  // It has come back under another id, owns the shard anew, and means to send the same messages once more.
  await until(() => sends === 10);
  connect();
  await done();
  expect(new Set(mill.received.map(({ id }) => id)).size).toBe(5);
  expect(mill.received).toHaveLength(5);
});
