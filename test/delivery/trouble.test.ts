import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Answer } from '../../src/connectors/connector.ts';
import type { DeliveryStore } from '../../src/delivery/delivery-store.ts';
import { deliveryStatements } from '../../src/store/delivery/delivery-statements.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createMill, insertBatch, insertChunk, type Mill, pendingCount, progressOf, until } from './mill.ts';

let mill: Mill;

beforeEach(async () => {
  mill = createMill((await createTestDatabase()).url, { batchMax: 10 });
});

afterEach(async () => {
  await mill.close();
});

async function insertBatchOf(chunks: number, count: number): Promise<string> {
  const batch = await insertBatch(mill.database, { accepted: chunks * count });
  for (let n = 0; n < chunks; n++) await insertChunk(mill.database, { batch, count });
  return batch;
}

function done(): Promise<void> {
  return until(async () => (await pendingCount(mill.database)) === 0);
}

/** The statements of a worker that can be cut off from the database, as a dead process is. */
function killable(): { store: DeliveryStore; kill(): void } {
  let dead = false;
  const never = new Promise<never>(() => {});
  const store = { ...deliveryStatements(mill.database) } as Record<
    string,
    (argument: never) => Promise<unknown>
  >;
  for (const [name, statement] of Object.entries(store)) {
    store[name] = (argument) =>
      dead ? never : statement(argument).then((result) => (dead ? never : result));
  }
  return {
    store: store as unknown as DeliveryStore,
    kill() {
      dead = true;
    },
  };
}

test('a stop in the midst loses nothing and sends nothing twice', async () => {
  const batch = await insertBatchOf(20, 100);
  mill.respond = async () => {
    await sleep(2);
    return { kind: 'sent' };
  };
  const first = mill.worker();
  first.start();
  await until(() => mill.received.length > 300);
  await first.stop({ deadlineMs: 10_000 });
  expect(first.stats()).toMatchObject({ shards: 0, inFlight: 0, unrecorded: 0 });
  const { rows } = await mill.database.query({
    name: 'test_left',
    text: 'SELECT (SELECT count(*)::int FROM worker) AS workers, count(worker)::int AS owned FROM shard_owner',
  });
  expect(rows).toEqual([{ workers: 0, owned: 0 }]);
  expect(mill.received.length).toBeLessThan(2_000);
  mill.worker().start();
  await done();
  expect(mill.received).toHaveLength(2_000);
  expect(new Set(mill.received.map(({ id }) => id)).size).toBe(2_000);
  expect(await progressOf(mill.database, batch)).toEqual({ 100: 2_000, 3: 2_000 });
});

test('a stop does not wait longer than it may for a provider that does not answer', async () => {
  await insertBatchOf(1, 5);
  mill.respond = () => new Promise<Answer>(() => {});
  const worker = mill.worker();
  worker.start();
  await until(() => mill.received.length > 0);
  await worker.stop({ deadlineMs: 300 });
  mill.respond = () => ({ kind: 'sent' });
  mill.worker({ leaseMs: 1_000 }).start();
  await done();
  expect(new Set(mill.received.map(({ id }) => id)).size).toBe(5);
});

test('two workers share the shards and send every message once', async () => {
  const batch = await insertBatchOf(40, 50);
  mill.respond = async () => {
    await sleep(1);
    return { kind: 'sent' };
  };
  const [a, b] = [mill.worker(), mill.worker()];
  a.start();
  await until(() => a.stats().shards === 1_024 && mill.received.length > 100);
  b.start();
  await until(() => b.stats().shards === 512);
  await insertBatchOf(40, 50);
  await done();
  expect(mill.received).toHaveLength(4_000);
  expect(new Set(mill.received.map(({ id }) => id)).size).toBe(4_000);
  expect(b.stats().counts.sent).toBeGreaterThan(0);
  expect(await progressOf(mill.database, batch)).toEqual({ 100: 2_000, 3: 2_000 });
});

test.each([0, 1])(
  'when messages that were ready go to another worker, the lane goes on with what it has left (shard %i first)',
  async (first) => {
    let answer = (): void => {};
    const held = new Promise<void>((resolve) => {
      answer = resolve;
    });
    mill.respond = async () => {
      await held;
      return { kind: 'sent' };
    };
    const shards = { shards: 2 };
    await mill.database.query({ name: 'test_two_shards', text: 'DELETE FROM shard_owner WHERE shard > 1' });
    // Full chunks: of a lane only about one at a time is in memory.
    for (const shard of [first, 1 - first]) {
      for (let n = 0; n < 3; n++) await insertChunk(mill.database, { shard, count: 1_000 });
    }
    const [stays, joins] = [mill.worker(shards), mill.worker(shards)];
    stays.start();
    await until(() => stays.stats().lanes.some(({ ready }) => ready >= 1_000));
    joins.start();
    await until(async () => stays.heldShards().length === 1);
    answer();
    await done();
    expect(new Set(mill.received.map(({ id }) => id)).size).toBe(6_000);
    expect(mill.received).toHaveLength(6_000);
  },
);

test('a killed worker loses nothing; sent again is at most what it had handed over unrecorded', async () => {
  const batch = await insertBatchOf(30, 100);
  const { store, kill } = killable();
  mill.respond = async () => {
    await sleep(3);
    return { kind: 'sent' };
  };
  const victim = mill.worker({ store, leaseMs: 1_000 });
  victim.start();
  await until(() => mill.received.length > 500);
  kill();
  const { rows } = await mill.database.query<{ recorded: number }>({
    name: 'test_recorded',
    text: 'SELECT coalesce(sum(count), 0)::int AS recorded FROM outcome',
  });
  mill.worker({ leaseMs: 1_000 }).start();
  await done();
  expect(new Set(mill.received.map(({ id }) => id)).size).toBe(3_000);
  expect(victim.stats().counts.attempts).toBeLessThan(3_000);
  const again = mill.received.length - 3_000;
  expect(again).toBeLessThanOrEqual(victim.stats().counts.attempts - rows[0]!.recorded);
  expect(await progressOf(mill.database, batch)).toEqual({ 100: 3_000, 3: 3_000 });
});

test('a worker past its deadline begins no send, and goes on when the database is back', async () => {
  const statements = deliveryStatements(mill.database);
  let away = false;
  const worker = mill.worker({
    leaseMs: 1_000,
    store: {
      ...statements,
      beatWorker: (id) =>
        away ? Promise.reject(new Error('the database is away')) : statements.beatWorker(id),
    },
  });
  worker.start();
  await until(() => worker.stats().shards === 1_024);
  away = true;
  await until(() => mill.errors.length >= 5);
  await insertBatchOf(1, 5);
  await until(() => worker.stats().lanes.some(({ ready }) => ready === 5));
  expect(mill.received).toEqual([]);
  away = false;
  await done();
  expect(mill.received).toHaveLength(5);
});

test('outcomes whose COMMIT is unclear, or whose database is away, are recorded once', async () => {
  const statements = deliveryStatements(mill.database);
  let turn = 0;
  const batch = await insertBatchOf(12, 30);
  mill.respond = ({ attempt, id }) =>
    attempt === 1 && id.endsWith('3')
      ? { kind: 'retry', error: { code: 'busy', detail: 'later' } }
      : { kind: 'sent', providerRef: id };
  mill
    .worker({
      store: {
        ...statements,
        async recordOutcomes(flush) {
          turn++;
          if (turn % 3 === 0) throw new Error('the database is away');
          const recorded = await statements.recordOutcomes(structuredClone(flush));
          if (turn % 3 === 1) throw new Error('the answer to COMMIT was lost');
          return recorded;
        },
      },
    })
    .start();
  await done();
  await until(async () => (await progressOf(mill.database, batch))[3] === 360);
  expect((await progressOf(mill.database, batch))[2] ?? 0).toBe(0);
  const { rows } = await mill.database.query({
    name: 'test_sent',
    text: 'SELECT sum(count)::int AS sent FROM outcome WHERE state = 3',
  });
  expect(rows).toEqual([{ sent: 360 }]);
});

test('a worker whose shards were taken records nothing of them any more', async () => {
  await insertBatchOf(4, 10);
  let answer = (): void => {};
  const held = new Promise<void>((resolve) => {
    answer = resolve;
  });
  mill.respond = async () => {
    await held;
    return { kind: 'sent' };
  };
  const zombie = mill.worker();
  zombie.start();
  await until(() => mill.received.length === 40);
  await mill.database.query({
    name: 'test_steal',
    text: `UPDATE shard_owner SET worker = '7d1f6f5e-1111-4222-8333-444455556666', epoch = epoch + 1`,
  });
  answer();
  await until(() => zombie.stats().shards < 1_024 && zombie.stats().unrecorded === 0);
  const { rows } = await mill.database.query({
    name: 'test_nothing',
    text: 'SELECT count(*)::int AS outcomes FROM outcome',
  });
  expect(rows).toEqual([{ outcomes: 0 }]);
  expect(await pendingCount(mill.database)).toBe(4);
});
