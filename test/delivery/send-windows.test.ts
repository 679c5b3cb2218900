import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Connector } from '../../src/connectors/connector.ts';
import type { DeliveryWorker, DeliveryWorkerSettings } from '../../src/delivery/delivery-worker.ts';
import { messageIdAt } from '../../src/message/id.ts';
import { limits } from '../../src/message/limits.ts';
import { type SendWindow, weekdays } from '../../src/message/send-window/send-window.ts';
import { requestOfMessage } from '../../src/store/decisions/request-decision.ts';
import { deliveryStatements } from '../../src/store/delivery/delivery-statements.ts';
import type { OutcomeFlush } from '../../src/store/delivery/record-outcomes.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createMill, insertBatch, insertChunk, type Mill, pendingCount, testRoute, until } from './mill.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

let mill: Mill;

beforeEach(async () => {
  mill = createMill((await createTestDatabase()).url);
});

afterEach(async () => {
  await mill.close();
});

/** From so long after now until so much later, by the clocks of UTC; windows begin and end at whole minutes. */
function windowFrom(afterMs: number, lastsMs: number): SendWindow {
  const clock = (ms: number) => new Date(ms).toISOString().slice(11, 16);
  const from = Date.now() + afterMs;
  return { days: [...weekdays], from: clock(from), to: clock(from + lastsMs), timeZone: 'UTC' };
}

/** Nothing is sent on after it without a beat, which tells what time it is in the database. */
const leaseMs = 2_000;

/** Closed for hours, whenever it is. */
const closed = () => windowFrom(6 * hourMs, 2 * hourMs);
const open = () => windowFrom(-2 * hourMs, 6 * hourMs);

function done(): Promise<void> {
  return until(async () => (await pendingCount(mill.database)) === 0);
}

/** A worker that owns all shards already: what is stored from now on is found at once. */
async function runningWorker(settings: Partial<DeliveryWorkerSettings> = {}): Promise<DeliveryWorker> {
  const worker = mill.worker(settings);
  worker.start();
  await until(() => worker.stats().shards === limits.shards);
  return worker;
}

function changeRoute(sendWindow: SendWindow | undefined): void {
  const { sendWindow: _before, ...route } = mill.routes.get(1) ?? testRoute;
  mill.routes.set(1, { ...route, version: route.version + 1, ...(sendWindow && { sendWindow }) });
  mill.changeControl();
}

/** A worker whose database's clock is put forward at will. */
async function workerWithClock(settings: Partial<DeliveryWorkerSettings> = {}) {
  const store = { ...deliveryStatements(mill.database), ...settings.store };
  const clock = { aheadMs: 0 };
  let toldMs = 0;
  const beatWorker: typeof store.beatWorker = async (workerId) => {
    const { aheadMs } = clock;
    const nowMs = await store.beatWorker(workerId);
    if (nowMs) toldMs = aheadMs;
    return nowMs && nowMs + aheadMs;
  };
  const worker = await runningWorker({ leaseMs, ...settings, store: { ...store, beatWorker } });
  /** A beat has told the worker what the clock says since it was last put forward. */
  const told = () => until(() => toldMs === clock.aheadMs);
  return { clock, told, worker };
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

/** UTC itself, in the time zone of the recipient. */
const iceland = JSON.stringify({ to: '+3546123456' });

/** Chunks that are put off until much later. */
async function farRows(): Promise<number> {
  const { rows } = await mill.database.query<{ count: number }>({
    name: 'test_far',
    text: `SELECT count(*)::int AS count FROM pending WHERE due_at > now() + interval '1 hour'`,
  });
  return rows[0]!.count;
}

test('nothing leaves while the window of a batch is closed, and all of it goes on when it opens', async () => {
  const retry = { ...testRoute.retry, expireAfterMs: 2 * hourMs };
  mill.routes.set(1, { ...testRoute, retry });
  const { clock, worker } = await workerWithClock();
  const batch = await insertBatch(mill.database, { accepted: 6, defaults: { sendWindow: closed() } });
  await insertChunk(mill.database, { batch, count: 3 });
  await insertChunk(mill.database, { batch, count: 3 });
  const other = await insertChunk(mill.database, { count: 2 });
  await until(() => mill.received.length === 2);
  expect(mill.received.map(({ id }) => id)).toEqual([other, messageIdAt(other, 1)]);
  await until(() => worker.stats().loadedChunks === 0);
  clock.aheadMs = 7 * hourMs;
  await done();
  expect(mill.received).toHaveLength(8);
  expect(mill.received.every(({ fields }) => !('sendWindow' in fields))).toBe(true);
});

test('nothing leaves while the window of a route is closed, and a change of it takes effect at once', async () => {
  changeRoute(closed());
  const worker = await runningWorker();
  const batch = await insertBatch(mill.database, { accepted: 2 });
  await insertChunk(mill.database, { batch, count: 2 });
  await insertChunk(mill.database, { priority: 0 });
  mill.routes.set(2, { ...testRoute, id: 2 });
  await insertChunk(mill.database, { routeId: 2 });
  await until(() => mill.received.length === 1 && worker.stats().loadedChunks === 0);
  changeRoute(open());
  await done();
  expect(mill.received).toHaveLength(4);
});

test('both the window of the batch and that of its route must be open', async () => {
  changeRoute(closed());
  await runningWorker();
  const batch = await insertBatch(mill.database, { accepted: 1, defaults: { sendWindow: open() } });
  await insertChunk(mill.database, { batch });
  const shut = await insertBatch(mill.database, { accepted: 1, defaults: { sendWindow: closed() } });
  const kept = await insertChunk(mill.database, { batch: shut });
  changeRoute(open());
  await until(async () => (await pendingCount(mill.database)) === 1);
  changeRoute(undefined);
  await insertChunk(mill.database);
  await until(async () => (await pendingCount(mill.database)) === 1 && mill.received.length === 2);
  expect(mill.received.map(({ id }) => id)).not.toContain(kept);
});

test('by the time zones of recipients, those leave whose windows are open, and the others when theirs are', async () => {
  const { clock, worker } = await workerWithClock();
  // Six hours ahead of UTC, and always as far: Bhutan. UTC itself: Iceland.
  const sendWindow = { ...windowFrom(6 * hourMs - hourMs, 2 * hourMs), timeZone: 'recipient' };
  const batch = await insertBatch(mill.database, { accepted: 4, defaults: { sendWindow } });
  const numbers = ['+97517123456', '+3546123456', '+97517123457', '+3546123457'];
  const lines = numbers.map((to) => JSON.stringify({ to }));
  const chunk = await insertChunk(mill.database, { batch, lines });
  await until(() => mill.received.length === 2);
  await until(() => worker.stats().loadedChunks === 0);
  expect(mill.received.map(({ fields }) => fields.to)).toEqual([numbers[0], numbers[2]]);
  const { rows } = await mill.database.query<{ hours: number; remaining: Buffer }>({
    name: 'test_due',
    text: `SELECT extract(epoch FROM due_at - now())::float8 / 3600 AS hours, remaining FROM pending`,
  });
  expect([...rows[0]!.remaining]).toEqual([0b1010]);
  expect(rows[0]!.hours).toBeGreaterThan(4);
  clock.aheadMs = 5 * hourMs + minuteMs;
  // Its row is due by the clock that the database would have then.
  await mill.database.query({
    name: 'test_pass',
    text: `UPDATE pending SET due_at = due_at - interval '301 minutes'`,
  });
  await done();
  expect(mill.received.map(({ id }) => id).sort()).toEqual(
    [0, 1, 2, 3].map((n) => messageIdAt(chunk, n)).sort(),
  );
});

test('a window that closes amid many chunks costs no write per message, leaves no chunk in memory, and loses nothing', async () => {
  const flushes: OutcomeFlush[] = [];
  const store = deliveryStatements(mill.database);
  const recordOutcomes: typeof store.recordOutcomes = (flush) => {
    flushes.push(flush);
    return store.recordOutcomes(flush);
  };
  mill.routes.set(1, { ...testRoute, ratePerSecond: 500 });
  const { clock, worker } = await workerWithClock({ store: { ...store, recordOutcomes } });
  const [chunks, count] = [30, 300];
  const defaults = { sendWindow: windowFrom(-hourMs, 2 * hourMs) };
  const batch = await insertBatch(mill.database, { accepted: chunks * count, defaults });
  for (let n = 0; n < chunks; n++) await insertChunk(mill.database, { batch, count });
  await until(() => mill.received.length > 200);
  const before = flushes.length;
  clock.aheadMs = 2 * hourMs;
  const keys = () => worker.stats().lanes.reduce((sum, lane) => sum + lane.chunks, 0);
  await until(() => worker.stats().loadedChunks === 0 && keys() === 0);
  const sent = mill.received.length;
  expect(sent).toBeLessThan(chunks * count);
  const other = await insertChunk(mill.database);
  await until(() => mill.received.length > sent);
  expect(mill.received.slice(sent).map(({ id }) => id)).toEqual([other]);
  const put = flushes.slice(before).flatMap(({ waiting, renewed }) => [...waiting, ...renewed]);
  // Those that were in memory, of which there were few.
  expect(put.length).toBeLessThan(chunks / 2);
  const recorded = () =>
    flushes.flatMap(({ outcomes }) => outcomes).reduce((sum, { count: n }) => sum + n, 0);
  await until(() => recorded() >= sent + 1);
  expect(recorded()).toBe(sent + 1);
  expect(await pendingCount(mill.database)).toBeGreaterThan(chunks / 3);
  mill.routes.set(1, testRoute);
  mill.changeControl();
  clock.aheadMs = 23.5 * hourMs;
  await done();
  expect(new Set(mill.received.map(({ id }) => id)).size).toBe(chunks * count + 1);
  expect(mill.received).toHaveLength(chunks * count + 1);
});

test('what expires while it waits for its window comes to its end then', async () => {
  await runningWorker();
  const expiresAt = new Date(Date.now() + 1_000).toISOString();
  const batch = await insertBatch(mill.database, {
    accepted: 2,
    defaults: { sendWindow: closed(), expiresAt },
  });
  const ofBatch = await insertChunk(mill.database, { batch, count: 2 });
  changeRoute({ ...closed(), timeZone: 'recipient' });
  const ofRoute = await insertChunk(mill.database, {
    lines: [JSON.stringify({ to: '+3546123456', expiresAt })],
    timed: true,
  });
  await done();
  expect(await statesOf(ofBatch)).toMatchObject([{ state: 6, attempt: 0, count: 2, error_code: 'expired' }]);
  expect(await statesOf(ofRoute)).toMatchObject([{ state: 6, attempt: 0, count: 1, error_code: 'expired' }]);
  expect(mill.received).toEqual([]);
});

test('what waits for its window can be canceled and replayed', async () => {
  const { clock } = await workerWithClock();
  const batch = await insertBatch(mill.database, { accepted: 3, defaults: { sendWindow: closed() } });
  const chunk = await insertChunk(mill.database, { batch, count: 3 });
  const request = { messageId: messageIdAt(chunk, 1), batch, count: 3 };
  await requestOfMessage(mill.database, { ...request, kind: 'cancel', filter: {} });
  await until(async () => (await statesOf(chunk)).length === 1);
  await requestOfMessage(mill.database, { ...request, kind: 'replay', filter: { states: ['canceled'] } });
  await until(async () => (await statesOf(chunk)).length === 2);
  expect(mill.received).toEqual([]);
  clock.aheadMs = 7 * hourMs;
  await done();
  expect(mill.received.map(({ id }) => id).sort()).toEqual([0, 1, 2].map((n) => messageIdAt(chunk, n)));
});

test('a retry waits for the window as well', async () => {
  const other = '+31687654321';
  const { clock, told } = await workerWithClock();
  mill.respond = ({ fields, attempt }) => {
    if (attempt > 1 || fields.to === other) return { kind: 'sent' };
    clock.aheadMs = 2 * hourMs;
    return { kind: 'retry', error: { code: 'rate_limited', detail: 'slower' }, retryAfterMs: leaseMs + 500 };
  };
  const defaults = { sendWindow: windowFrom(-hourMs, 2 * hourMs) };
  const batch = await insertBatch(mill.database, { accepted: 1, defaults });
  const chunk = await insertChunk(mill.database, { batch, shard: 3 });
  await until(async () => (await statesOf(chunk)).length === 1);
  // By the clock that was told the retry is due: but for the window it would leave before what is stored now.
  await told();
  await insertChunk(mill.database, { shard: 3, lines: [JSON.stringify({ to: other })] });
  await until(() => mill.received.length > 1);
  expect(mill.received[1]!.fields.to).toBe(other);
  clock.aheadMs = 23.5 * hourMs;
  await done();
  expect(mill.received.map(({ attempt }) => attempt)).toEqual([1, 1, 2]);
});

test('a message that was handed over begins no request when the window has closed meanwhile, and that is no attempt', async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let refused = 0;
  const connector: Connector = {
    ...{ name: 'test', onUncertainDefault: 'resend', optionSchemas: {}, check: () => [] },
    open: () => ({
      batchMax: 1,
      async send(messages, { mayBegin }) {
        await held;
        if (mayBegin()) {
          mill.received.push(...messages);
          return [{ kind: 'sent' }];
        }
        refused++;
        return [{ kind: 'retry', error: { code: 'refused', detail: 'may not begin' } }];
      },
      rehearse: () => ({ kind: 'sent' }),
      close: async () => {},
    }),
  };
  const { clock, told, worker } = await workerWithClock({ connectors: new Map([['test', connector]]) });
  const defaults = { sendWindow: windowFrom(-hourMs, 2 * hourMs) };
  const batch = await insertBatch(mill.database, { accepted: 1, defaults });
  await insertChunk(mill.database, { batch });
  await until(() => worker.stats().inFlight === 1);
  clock.aheadMs = 2 * hourMs;
  await told();
  release();
  await until(() => refused === 1 && worker.stats().loadedChunks === 0);
  clock.aheadMs = 23.5 * hourMs;
  await done();
  expect(mill.received.map(({ attempt }) => attempt)).toEqual([1]);
});

test('what waits for the time zones of recipients goes on when the window of the route is changed', async () => {
  changeRoute({ ...closed(), timeZone: 'recipient' });
  const worker = await runningWorker();
  await insertChunk(mill.database, { lines: [iceland], priority: 0 });
  await insertChunk(mill.database, { lines: [iceland], keys: [7] });
  await until(async () => (await farRows()) === 2 && worker.stats().loadedChunks === 0);
  changeRoute({ ...open(), timeZone: 'recipient' });
  await done();
  expect(mill.received).toHaveLength(2);
});

test('a read that was on its way when the window of the route changed keeps nothing back', async () => {
  changeRoute({ ...closed(), timeZone: 'recipient' });
  const store = deliveryStatements(mill.database);
  let holding = false;
  const held: (() => void)[] = [];
  const readRecentPending: typeof store.readRecentPending = async (read) => {
    const rows = await store.readRecentPending(read);
    if (holding) await new Promise<void>((resolve) => held.push(resolve));
    return rows;
  };
  const worker = await runningWorker({ store: { ...store, readRecentPending } });
  await insertChunk(mill.database, { lines: [iceland], keys: [7] });
  await until(async () => (await farRows()) === 1 && worker.stats().loadedChunks === 0);
  holding = true;
  await until(() => held.length === 1);
  holding = false;
  changeRoute({ ...open(), timeZone: 'recipient' });
  held[0]!();
  await done();
  expect(mill.received).toHaveLength(1);
});

test('what was being put off as the window of the route changed leaves too', async () => {
  changeRoute({ ...closed(), timeZone: 'recipient' });
  const store = deliveryStatements(mill.database);
  const held: (() => void)[] = [];
  const recordOutcomes: typeof store.recordOutcomes = async (flush) => {
    if (flush.waiting.length > 0) await new Promise<void>((resolve) => held.push(resolve));
    return store.recordOutcomes(flush);
  };
  // The first is older than what reads of recent ids find.
  await insertChunk(mill.database, { lines: [iceland], shard: 1, unixMs: Date.now() - hourMs });
  await insertChunk(mill.database, { lines: [iceland], shard: 2, keys: [7] });
  // One waits for the other.
  await insertChunk(mill.database, { lines: [iceland, iceland], shard: 3, keys: [7, 7] });
  mill.worker({ store: { ...store, recordOutcomes } }).start();
  await until(() => held.length === 3);
  changeRoute({ ...open(), timeZone: 'recipient' });
  for (const release of held) release();
  await done();
  expect(mill.received).toHaveLength(4);
});

test('what was put off by the window that a route had leaves also from a worker that came after the change', async () => {
  changeRoute({ ...closed(), timeZone: 'recipient' });
  const before = await runningWorker();
  await insertChunk(mill.database, { lines: [iceland] });
  await insertChunk(mill.database, { lines: [iceland], keys: [7] });
  await until(async () => (await farRows()) === 2 && before.stats().loadedChunks === 0);
  await before.stop({ deadlineMs: 5_000 });
  changeRoute({ ...open(), timeZone: 'recipient' });
  await runningWorker();
  await done();
  expect(mill.received).toHaveLength(2);
});

test('messages that no window can let go fail, and say why', async () => {
  await runningWorker();
  const sendWindow = { ...windowFrom(-hourMs, 2 * hourMs), timeZone: 'recipient' };
  const batch = await insertBatch(mill.database, { accepted: 2, defaults: { sendWindow } });
  // Satellite phones; and a country over which the sun does not set.
  const lines = ['+870123456789', '+79161234567'].map((to) => JSON.stringify({ to }));
  const chunk = await insertChunk(mill.database, { batch, lines });
  await done();
  expect(await statesOf(chunk)).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ state: 5, attempt: 0, error_code: 'send_window_no_zone' }),
      expect.objectContaining({ state: 5, attempt: 0, error_code: 'send_window_never_open' }),
    ]),
  );
  expect(mill.received).toEqual([]);
});

test('messages with ordering keys keep their order over a closed window', async () => {
  const { clock } = await workerWithClock();
  const batch = await insertBatch(mill.database, { accepted: 4, defaults: { sendWindow: closed() } });
  const first = await insertChunk(mill.database, { batch, shard: 3, keys: [1, 1] });
  const second = await insertChunk(mill.database, { batch, shard: 3, keys: [1, 2] });
  const free = await insertChunk(mill.database, { shard: 3, keys: [3] });
  await until(() => mill.received.length === 1);
  expect(mill.received[0]!.id).toBe(free);
  clock.aheadMs = 7 * hourMs;
  await done();
  const order = mill.received
    .map(({ id }) => id)
    .filter((id) => id !== messageIdAt(second, 1) && id !== free);
  expect(order).toEqual([first, messageIdAt(first, 1), second]);
});
