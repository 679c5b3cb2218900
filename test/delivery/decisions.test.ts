import { beforeEach, expect, test } from 'vitest';
import { encodeChunk } from '../../src/message/chunk-codec.ts';
import { foldOutcomes, timelineOf } from '../../src/message/fold-outcomes.ts';
import { chunkIdOf, shardOf } from '../../src/message/id.ts';
import { stateNumber, states } from '../../src/message/state.ts';
import { cancelBatch, pauseBatch, resumeBatch } from '../../src/store/decisions/hold-batch.ts';
import { reopenBatch } from '../../src/store/decisions/reopen-batch.ts';
import {
  countOpenRequests,
  requestOfBatch,
  requestOfMessage,
} from '../../src/store/decisions/request-decision.ts';
import { deliveryStatements } from '../../src/store/delivery/delivery-statements.ts';
import { finishBatch, readFinishedBatch } from '../../src/store/delivery/finish-batches.ts';
import { loadOutcomes } from '../../src/store/delivery/load-chunks.ts';
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
  mill = createMill((await createTestDatabase()).url);
  return () => mill.close();
});

const error = { code: 'broken', detail: 'it is broken' };
const accountId = 1;

async function isDone(batch: string): Promise<boolean> {
  const { rows } = await mill.database.query<{ done: boolean }>(
    {
      name: 'test_is_done',
      text: 'SELECT done_at IS NOT NULL AS done FROM batch WHERE shard = $1 AND id = $2',
    },
    [shardOf(batch), batch],
  );
  return rows[0]!.done;
}

async function statesOf(chunk: string, count: number): Promise<string[]> {
  const folded = foldOutcomes(count, await loadOutcomes(mill.database, { ids: [chunk] }));
  return [...folded.state].map((number) => states[number]!);
}

async function answered(batch: string): Promise<void> {
  await until(async () => (await countOpenRequests(mill.database, { batch })) === 0);
}

test('a paused batch sends nothing, others go on, and resumed it is delivered once', async () => {
  const paused = await insertBatch(mill.database, { accepted: 60 });
  const other = await insertBatch(mill.database, { accepted: 20 });
  await pauseBatch(mill.database, { batch: paused, accountId });
  for (let n = 0; n < 3; n++) await insertChunk(mill.database, { batch: paused, count: 20 });
  await insertChunk(mill.database, { batch: other, count: 20 });
  mill.worker().start();
  await until(() => isDone(other));
  expect(mill.received).toHaveLength(20);
  await resumeBatch(mill.database, { batch: paused, accountId });
  await until(() => isDone(paused));
  expect(new Set(mill.received.map(({ id }) => id)).size).toBe(80);
  expect(mill.received).toHaveLength(80);
  expect(mill.errors).toEqual([]);
});

test.each(['fails', 'is slow'])(
  'nothing is sent before a worker knows what is held, though its first look %s',
  async (firstLook) => {
    const [paused, canceled, other] = await Promise.all(
      [20, 20, 20].map((accepted) => insertBatch(mill.database, { accepted })),
    );
    await pauseBatch(mill.database, { batch: paused!, accountId });
    await cancelBatch(mill.database, { batch: canceled!, accountId });
    for (const batch of [paused!, canceled!]) await insertChunk(mill.database, { batch, count: 20 });
    const chunk = await insertChunk(mill.database, { batch: other!, count: 20 });
    const store = deliveryStatements(mill.database);
    let looks = 0;
    let look = () => {};
    const mayLook = new Promise<void>((resolve) => {
      look = resolve;
    });
    const readHeldBatches = async () => {
      if (looks++ === 0 && firstLook === 'fails') throw new Error('no answer');
      await mayLook;
      return store.readHeldBatches();
    };
    const worker = mill.worker({ store: { ...store, readHeldBatches } });
    worker.start();
    const ready = () => worker.stats().lanes.reduce((sum, lane) => sum + lane.ready, 0);
    await until(() => ready() > 0 || mill.received.length > 0);
    expect(mill.received).toEqual([]);
    look();
    await until(async () => (await isDone(canceled!)) && (await isDone(other!)));
    expect(new Set(mill.received.map(({ id }) => chunkIdOf(id)))).toEqual(new Set([chunk]));
    expect(mill.received).toHaveLength(20);
  },
);

test('a batch that is paused amid its delivery stops, keeps what waits, and goes on where it was', async () => {
  const batch = await insertBatch(mill.database, { accepted: 400 });
  for (let n = 0; n < 4; n++) await insertChunk(mill.database, { batch, count: 100 });
  mill.routes.set(1, { ...testRoute, concurrency: 2, ratePerSecond: 200 });
  const worker = mill.worker();
  worker.start();
  await until(() => mill.received.length > 20);
  await pauseBatch(mill.database, { batch, accountId });
  await until(() => worker.stats().lanes.every((lane) => lane.chunks === 0));
  const before = mill.received.length;
  expect(before).toBeLessThan(400);
  expect(await pendingCount(mill.database)).toBeGreaterThan(0);
  mill.routes.set(1, { ...testRoute, version: 2 });
  mill.changeControl();
  await resumeBatch(mill.database, { batch, accountId });
  await until(() => isDone(batch));
  expect(mill.received).toHaveLength(400);
  expect(new Set(mill.received.map(({ id }) => id)).size).toBe(400);
});

test('a canceled batch sends nothing more, and every message is either sent or canceled', async () => {
  const batch = await insertBatch(mill.database, { accepted: 600 });
  for (let n = 0; n < 5; n++) await insertChunk(mill.database, { batch, count: 100 });
  await insertChunk(mill.database, { batch, count: 100, dueInMs: 3_600_000 });
  mill.routes.set(1, { ...testRoute, ratePerSecond: 100 });
  mill.worker().start();
  await until(() => mill.received.length > 10);
  await cancelBatch(mill.database, { batch, accountId });
  await until(() => isDone(batch));
  const progress = await progressOf(mill.database, batch);
  expect(progress[stateNumber.sent]).toBe(mill.received.length);
  expect(progress[stateNumber.canceled]).toBe(600 - mill.received.length);
  expect(await pendingCount(mill.database)).toBe(0);
});

test('canceling costs a few writes, not one for each message', async () => {
  const batch = await insertBatch(mill.database, { accepted: 20_000 });
  mill.routes.set(1, { ...testRoute, paused: true });
  for (let n = 0; n < 20; n++) await insertChunk(mill.database, { batch, count: 1_000 });
  mill.worker().start();
  await cancelBatch(mill.database, { batch, accountId });
  await until(() => isDone(batch));
  const { rows } = await mill.database.query<{ rows: number }>({
    name: 'test_outcomes',
    text: 'SELECT count(*)::int AS rows FROM outcome',
  });
  expect(rows[0]!.rows).toBe(20);
  expect((await progressOf(mill.database, batch))[stateNumber.canceled]).toBe(20_000);
});

test('a replay by filter makes new attempts of exactly the chosen messages, under a new key', async () => {
  const batch = await insertBatch(mill.database, { accepted: 90 });
  const chunks: string[] = [];
  for (let n = 0; n < 3; n++) chunks.push(await insertChunk(mill.database, { batch, count: 30 }));
  mill.respond = ({ fields }) => {
    const last = Number(String(fields.to).at(-1));
    if (last < 3) return { kind: 'rejected', error };
    return last === 3 ? { kind: 'rejected', error: { ...error, code: 'other' } } : { kind: 'sent' };
  };
  mill.worker().start();
  await until(() => isDone(batch));
  const failed = new Set(
    mill.received.filter(({ fields }) => Number(String(fields.to).at(-1)) < 3).map(({ id }) => id),
  );
  expect(failed.size).toBe(27);
  mill.respond = () => ({ kind: 'sent' });
  mill.received.length = 0;
  const filter = { states: ['failed' as const], errorCode: 'broken' };
  await requestOfBatch(mill.database, { batch, accountId, kind: 'replay', states: ['failed'], filter });
  await answered(batch);
  await until(() => isDone(batch));
  expect(new Set(mill.received.map(({ id }) => id))).toEqual(failed);
  expect(mill.received).toHaveLength(27);
  expect(mill.received.every(({ id, key, attempt }) => key === `${id}.1` && attempt === 2)).toBe(true);
  const progress = await progressOf(mill.database, batch);
  expect(progress[stateNumber.sent]).toBe(81);
  expect(progress[stateNumber.failed]).toBe(9);
});

test('a canceled batch that is replayed is delivered', async () => {
  const batch = await insertBatch(mill.database, { accepted: 50 });
  await cancelBatch(mill.database, { batch, accountId });
  await insertChunk(mill.database, { batch, count: 50 });
  mill.worker().start();
  await until(() => isDone(batch));
  expect(mill.received).toHaveLength(0);
  const filter = { states: ['canceled' as const] };
  await requestOfBatch(mill.database, { batch, accountId, kind: 'replay', states: ['canceled'], filter });
  await until(() => mill.received.length === 50);
  await until(() => isDone(batch));
  expect((await progressOf(mill.database, batch))[stateNumber.sent]).toBe(50);
});

test('a replay is not undone by what was read of its batch while it was canceled', async () => {
  const batch = await insertBatch(mill.database, { accepted: 5 });
  await cancelBatch(mill.database, { batch, accountId });
  await insertChunk(mill.database, { batch, count: 5 });
  const store = deliveryStatements(mill.database);
  const canceled = await store.readHeldBatches();
  let answer: (rows: typeof canceled) => void = () => {};
  // Each read finds the batch canceled; the answer to the last comes when its messages were replayed.
  const reads: Promise<typeof canceled>[] = [];
  let read = async () => canceled;
  mill.worker({ store: { ...store, readHeldBatches: () => read() } }).start();
  await until(() => isDone(batch));
  read = () => {
    reads.push(new Promise((resolve) => (answer = resolve)));
    read = store.readHeldBatches;
    return reads[0]!;
  };
  await until(() => reads.length === 1);
  const filter = { states: ['canceled' as const] };
  await requestOfBatch(mill.database, { batch, accountId, kind: 'replay', states: ['canceled'], filter });
  await answered(batch);
  answer(canceled);
  await until(() => mill.received.length === 5);
});

test('a batch that is reopened after it was counted is not marked done by that count', async () => {
  const batch = await insertBatch(mill.database, { accepted: 0 });
  const counted = await readFinishedBatch(mill.database, batch);
  await reopenBatch(mill.database, { batch, accountId });
  await finishBatch(mill.database, counted!);
  expect(await isDone(batch)).toBe(false);
  await finishBatch(mill.database, (await readFinishedBatch(mill.database, batch))!);
  expect(await isDone(batch)).toBe(true);
});

test('one message is canceled while it waits for its retry, and its neighbour is not', async () => {
  const chunk = await insertChunk(mill.database, { count: 2 });
  const retry = { attemptsMax: 50, backoffMinMs: 50_000, backoffMaxMs: 60_000, expireAfterMs: 3_600_000 };
  mill.routes.set(1, { ...testRoute, retry });
  mill.respond = () => ({ kind: 'retry', error });
  mill.worker().start();
  await until(async () => (await statesOf(chunk, 2)).every((state) => state === 'retrying'));
  const id = await requestOfMessage(mill.database, {
    ...{ messageId: chunk, batch: null, count: 2, kind: 'cancel', filter: {} },
  });
  await until(async () => (await countOpenRequests(mill.database, { shard: shardOf(chunk), id })) === 0);
  expect(await statesOf(chunk, 2)).toEqual(['canceled', 'retrying']);
  expect(await pendingCount(mill.database)).toBe(1);
});

test('a message that is canceled while it is being sent is not tried again', async () => {
  const chunk = await insertChunk(mill.database, { count: 1 });
  let answer: ((as: 'retry') => void) | undefined;
  mill.respond = () => new Promise((resolve) => (answer = (kind) => resolve({ kind, error })));
  let reads = 0;
  const store = deliveryStatements(mill.database);
  const readInbox: typeof store.readInbox = (read) => {
    reads++;
    return store.readInbox(read);
  };
  mill.worker({ store: { ...store, readInbox } }).start();
  await until(() => answer !== undefined);
  const id = await requestOfMessage(mill.database, {
    ...{ messageId: chunk, batch: null, count: 1, kind: 'cancel', filter: {} },
  });
  const readsBefore = reads;
  await until(() => reads > readsBefore + 2);
  answer!('retry');
  await until(async () => (await statesOf(chunk, 1))[0] === 'canceled');
  await until(async () => (await countOpenRequests(mill.database, { shard: shardOf(chunk), id })) === 0);
  expect(mill.received).toHaveLength(1);
});

test('uncertain messages of a hold route are held, listed and resolved, or replayed under their own key', async () => {
  mill.routes.set(1, { ...testRoute, onUncertain: 'hold' });
  const batch = await insertBatch(mill.database, { accepted: 20 });
  const chunks = [
    await insertChunk(mill.database, { batch, count: 10 }),
    await insertChunk(mill.database, { batch, count: 10 }),
  ];
  mill.respond = () => ({ kind: 'uncertain', error });
  mill.worker().start();
  await until(() => isDone(batch));
  expect((await progressOf(mill.database, batch))[stateNumber.uncertain]).toBe(20);
  expect((await progressOf(mill.database, batch))[stateNumber.sending]).toBe(0);
  mill.respond = () => ({ kind: 'sent' });
  await requestOfMessage(mill.database, {
    ...{ messageId: chunks[0]!, batch, count: 10, kind: 'replay', filter: { states: ['uncertain'] } },
  });
  await until(() => mill.received.length === 21);
  expect(mill.received.at(-1)).toMatchObject({ id: chunks[0], key: chunks[0], attempt: 2 });
  await requestOfBatch(mill.database, {
    ...{
      batch,
      accountId,
      kind: 'resolve',
      states: ['uncertain'],
      filter: { state: 'failed', errorCode: 'settled' },
    },
  });
  await answered(batch);
  await until(() => isDone(batch));
  const progress = await progressOf(mill.database, batch);
  expect(progress[stateNumber.uncertain]).toBe(0);
  expect(progress[stateNumber.sent]).toBe(1);
  expect(progress[stateNumber.failed]).toBe(19);
  const rows = await loadOutcomes(mill.database, { ids: [chunks[0]!] });
  expect(timelineOf(rows, 0).map(({ state }) => state)).toEqual([
    ...['sending', 'uncertain', 'queued', 'sending', 'sent'],
  ]);
});

test('on a hold route the mark is durable before the message leaves', async () => {
  mill.routes.set(1, { ...testRoute, onUncertain: 'hold' });
  const chunk = await insertChunk(mill.database, { count: 40 });
  const unmarked: string[] = [];
  mill.respond = async ({ id }) => {
    const rows = await loadOutcomes(mill.database, { ids: [chunk] });
    const { state } = foldOutcomes(40, rows);
    const offset = Number.parseInt(id.slice(-3), 16) & 0x3ff;
    if (state[offset] !== stateNumber.sending) unmarked.push(id);
    return { kind: 'sent' };
  };
  mill.worker().start();
  await until(async () => (await pendingCount(mill.database)) === 0);
  expect(mill.received).toHaveLength(40);
  expect(unmarked).toEqual([]);
});

test('after a crash a marked message is uncertain on a hold route, and sent again where uncertain sends are resent', async () => {
  for (const onUncertain of ['hold', 'resend'] as const) {
    mill.received.length = 0;
    mill.routes.set(1, { ...testRoute, onUncertain: 'hold', version: mill.routes.get(1)!.version + 1 });
    const chunk = await insertChunk(mill.database, { count: 3 });
    mill.respond = () => new Promise(() => {});
    const dead = mill.worker({ leaseMs: 1_000 });
    dead.start();
    await until(() => mill.received.length === 3);
    // It is stopped hard: its answers never come, as if it had been killed.
    await dead.stop({ deadlineMs: 50 });
    mill.routes.set(1, { ...testRoute, onUncertain });
    mill.respond = () => ({ kind: 'sent' });
    const next = mill.worker({ leaseMs: 1_000 });
    next.start();
    const expected = onUncertain === 'hold' ? 'uncertain' : 'sent';
    await until(async () => (await statesOf(chunk, 3)).every((state) => state === expected));
    expect(mill.received).toHaveLength(onUncertain === 'hold' ? 3 : 6);
    await next.stop({ deadlineMs: 2_000 });
  }
});

test('a stored line that cannot be handled is parked with its error, and delivered when it is mended and replayed', async () => {
  const batch = await insertBatch(mill.database, { accepted: 3 });
  const lines = ['{"to":"+31612345678"}', '{"to":', '{"to":"+31612345679"}'];
  const chunk = await insertChunk(mill.database, { batch, lines });
  mill.worker().start();
  await until(() => isDone(batch));
  expect(await statesOf(chunk, 3)).toEqual(['sent', 'failed', 'sent']);
  const mended = ['{"to":"+31612345678"}', '{"to":"+31612345670"}', '{"to":"+31612345679"}'];
  const { codec, payload } = encodeChunk(Buffer.from(mended.join('\n')));
  await mill.database.query(
    { name: 'test_mend', text: 'UPDATE chunk SET codec = $2, payload = $3 WHERE id = $1' },
    [chunk, codec, payload],
  );
  const filter = { states: ['failed' as const], errorCode: 'internal_handling' };
  await requestOfBatch(mill.database, { batch, accountId, kind: 'replay', states: ['failed'], filter });
  await until(async () => (await statesOf(chunk, 3))[1] === 'sent');
  expect(mill.received).toHaveLength(3);
});
