import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Answer, OutgoingMessage } from '../../src/connectors/connector.ts';
import { pauseBatch, resumeBatch } from '../../src/store/decisions/hold-batch.ts';
import { requestOfMessage } from '../../src/store/decisions/request-decision.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createMill, insertBatch, insertChunk, type Mill, pendingCount, until } from './mill.ts';

const shard = 5;
let mill: Mill;

beforeEach(async () => {
  mill = createMill((await createTestDatabase()).url, { batchMax: 4 });
});
afterEach(async () => {
  await mill.close();
  expect(mill.errors).toEqual([]);
});

interface Note {
  key: number;
  n: number;
}

/** Messages are numbered by key, in the order in which they are stored. */
function numbering() {
  const counts = new Map<number, number>();
  return (keys: readonly number[], fields: object = {}) => ({
    keys: [...keys],
    lines: keys.map((key) => {
      const n = counts.get(key) ?? 0;
      counts.set(key, n + 1);
      return JSON.stringify({ to: '+31612345678', orderingKey: `${key}`, body: `${key}/${n}`, ...fields });
    }),
  });
}

function noteOf({ fields }: OutgoingMessage): Note {
  const [key, n] = fields.body!.split('/').map(Number);
  return { key: key!, n: n! };
}

/** Throws when a message is handed over before those of its key that come before it have ended; keeps what went wrong. */
function watchOrder(answerOf: (note: Note, attempt: number) => Answer | Promise<Answer>) {
  const ended = new Map<number, Set<number>>();
  const faults: string[] = [];
  mill.respond = async (message) => {
    const { key, n } = noteOf(message);
    const done = ended.get(key) ?? new Set();
    ended.set(key, done);
    for (let before = 0; before < n; before++)
      if (!done.has(before)) faults.push(`${key}/${n} before ${before}`);
    if (message.fields.orderingKey !== undefined) faults.push('the key was sent along');
    const answer = await answerOf({ key, n }, message.attempt);
    if (answer.kind !== 'retry') done.add(n);
    return answer;
  };
  return { faults, ended, total: () => [...ended.values()].reduce((sum, { size }) => sum + size, 0) };
}

const later: Answer = { kind: 'retry', error: { code: 'busy', detail: 'Come back later' } };
const refused: Answer = { kind: 'rejected', error: { code: 'no', detail: 'Never' } };

test('messages of a key leave in order through retries, failures and a handover, over chunks, routes and priorities', async () => {
  mill.routes.set(2, { ...mill.routes.get(1)!, id: 2, name: 'other' });
  const next = numbering();
  let stored = 0;
  for (let chunk = 0; chunk < 60; chunk++) {
    const keys = Array.from({ length: 1 + (chunk % 7) }, (_, n) => (chunk * 5 + n * 3) % 8);
    stored += keys.length;
    await insertChunk(mill.database, {
      shard,
      routeId: 1 + (chunk % 2),
      priority: chunk % 3 === 0 ? 0 : 1,
      ...next(keys),
    });
  }
  const watch = watchOrder(({ key, n }, attempt) => {
    if ((key * 7 + n * 11) % 3 === 0 && attempt <= 1 + (n % 3)) return later;
    return (key + n) % 10 === 9 ? refused : { kind: 'sent' };
  });
  const first = mill.worker();
  first.start();
  await until(() => watch.total() > stored / 4);
  const second = mill.worker();
  second.start();
  await first.stop({ deadlineMs: 5_000 });
  await until(async () => watch.total() === stored && (await pendingCount(mill.database)) === 0, 60_000);
  expect(watch.faults).toEqual([]);
});

test('a key that retries holds back its followers, however many, and nobody else', async () => {
  const next = numbering();
  let others = 0;
  for (let chunk = 0; chunk < 30; chunk++) {
    const keys = [1, 1, 1, 100 + chunk, 200 + chunk];
    others += 2;
    await insertChunk(mill.database, { shard, ...next(chunk === 0 ? [1, 100] : keys) });
  }
  let open = false;
  const watch = watchOrder(({ key }) => (key === 1 && !open ? later : { kind: 'sent' }));
  mill.worker().start();
  await until(() => watch.total() === others - 1);
  expect(watch.ended.get(1)!.size).toBe(0);
  open = true;
  await until(() => watch.total() === others - 1 + 29 * 3 + 1);
  await until(async () => (await pendingCount(mill.database)) === 0);
  expect(watch.faults).toEqual([]);
  // One at a time, without loading its chunk for each.
  const lone = mill.received
    .filter((message) => noteOf(message).key === 1)
    .map((message) => noteOf(message).n);
  expect([...new Set(lone)]).toEqual(Array.from({ length: 88 }, (_, n) => n));
});

test('what comes after a paused or a scheduled message waits with it, and a canceled one lets it go', async () => {
  const next = numbering();
  const batch = await insertBatch(mill.database, { accepted: 2 });
  await pauseBatch(mill.database, { batch, accountId: 1 });
  const paused = await insertChunk(mill.database, { shard, batch, ...next([1, 2]) });
  await insertChunk(mill.database, { shard, ...next([1, 2, 3]) });
  const scheduledAt = new Date(Date.now() + 3_600_000).toISOString();
  const scheduled = await insertChunk(mill.database, {
    ...{ shard, timed: true, dueInMs: 3_600_000 },
    ...next([4], { scheduledAt }),
  });
  await insertChunk(mill.database, { shard, ...next([4, 5]) });
  const watch = watchOrder(() => ({ kind: 'sent' }));
  mill.worker().start();
  await until(() => watch.total() === 2);
  expect([...watch.ended.keys()].sort()).toEqual([3, 5]);
  const cancel = async (key: number, of: { messageId: string; batch: string | null; count: number }) => {
    watch.ended.set(key, new Set([0]));
    await requestOfMessage(mill.database, { ...of, kind: 'cancel', filter: {} });
    await until(() => watch.ended.get(key)!.has(1));
  };
  await cancel(1, { messageId: paused, batch, count: 2 });
  await cancel(4, { messageId: scheduled, batch: null, count: 1 });
  expect(watch.ended.has(2)).toBe(false);
  await resumeBatch(mill.database, { batch, accountId: 1 });
  await until(async () => (await pendingCount(mill.database)) === 0);
  expect(watch.ended.get(2)).toEqual(new Set([0, 1]));
  expect(watch.faults).toEqual([]);
  expect(mill.received).toHaveLength(6);
});

test('thousands of messages for a route that is stopped do not keep those of other keys from another route', async () => {
  mill.routes.set(2, { ...mill.routes.get(1)!, id: 2, name: 'stopped', paused: true });
  const next = numbering();
  // More than one read of them.
  for (let chunk = 0; chunk < 70; chunk++) {
    const keys = Array.from({ length: 70 }, (_, n) => 10 + chunk * 70 + n);
    await insertChunk(mill.database, { shard, routeId: 2, ...next(keys) });
  }
  await insertChunk(mill.database, { shard, priority: 0, ...next([1]) });
  const watch = watchOrder(() => ({ kind: 'sent' }));
  mill.worker().start();
  await until(() => watch.total() === 1);
  expect(watch.ended.has(1)).toBe(true);
});

test('a batch that is resumed sends its messages before those that waited for them', async () => {
  const next = numbering();
  const batch = await insertBatch(mill.database, { accepted: 2 });
  const watch = watchOrder(() => ({ kind: 'sent' }));
  const worker = mill.worker();
  await pauseBatch(mill.database, { batch, accountId: 1 });
  worker.start();
  await insertChunk(mill.database, { shard, batch, ...next([1, 1]) });
  await insertChunk(mill.database, { shard, ...next([1, 9]) });
  await until(() => watch.total() === 1);
  await resumeBatch(mill.database, { batch, accountId: 1 });
  await until(() => watch.total() === 4);
  await until(async () => (await pendingCount(mill.database)) === 0);
  expect(watch.faults).toEqual([]);
});
