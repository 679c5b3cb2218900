import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Answer, Connector, Sender } from '../../src/connectors/connector.ts';
import { type SendErrorCode, sendError } from '../../src/connectors/send-errors.ts';
import type { DeliveryWorker } from '../../src/delivery/delivery-worker.ts';
import { stateNumber } from '../../src/message/state.ts';
import { cancelBatch, pauseBatch, resumeBatch } from '../../src/store/decisions/hold-batch.ts';
import { deliveryStatements } from '../../src/store/delivery/delivery-statements.ts';
import type { OutcomeFlush } from '../../src/store/delivery/record-outcomes.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { connecting } from './connecting.ts';
import { createMill, insertBatch, insertChunk, type Mill, pendingCount, testRoute, until } from './mill.ts';

let mill: Mill;
/** Sends that have waited for a connection so far. */
let sends: number;
let connect: () => void;
/** Batches that the worker has read as paused or canceled. */
let heldKnown: Set<string>;

beforeEach(async () => {
  mill = createMill((await createTestDatabase()).url);
  sends = 0;
  heldKnown = new Set();
});

afterEach(async () => {
  await mill.close();
});

/** A worker whose sends wait for their connections until `connect` is called; from then on connections are there at once. */
function startWorker(): DeliveryWorker {
  const connected = new Promise<void>((resolve) => {
    connect = resolve;
  });
  const connectors = connecting(mill.received, () => {
    sends++;
    return connected;
  });
  const statements = deliveryStatements(mill.database);
  const store = {
    ...statements,
    async readHeldBatches() {
      const held = await statements.readHeldBatches();
      // The worker acts on what was read before anybody who waits for this hears of it.
      setImmediate(() => {
        for (const { id } of held) heldKnown.add(id);
      });
      return held;
    },
  };
  const worker = mill.worker({ connectors, store });
  worker.start();
  return worker;
}

function done(): Promise<void> {
  return until(async () => (await pendingCount(mill.database)) === 0);
}

async function countIn(state: number): Promise<number> {
  const { rows } = await mill.database.query<{ messages: number }>(
    {
      name: 'test_ends',
      text: 'SELECT coalesce(sum(count), 0)::int AS messages FROM outcome WHERE state = $1',
    },
    [state],
  );
  return rows[0]!.messages;
}

test.each(['resend', 'hold'] as const)(
  'a message that expires while its connection is made does not leave: %s',
  async (onUncertain) => {
    const expireAfterMs = 1_000;
    mill.routes.set(1, { ...testRoute, onUncertain, retry: { ...testRoute.retry, expireAfterMs } });
    // A worker that starts slowly would find it expired already.
    const worker = startWorker();
    await until(() => worker.heldShards().length === 1_024);
    await insertChunk(mill.database, { count: 3 });
    // What the worker knows of the database's clock is late by the time that it took to hear it.
    const expiredAtMs = Date.now() + 2 * expireAfterMs;
    await until(() => sends === 3);
    await until(() => Date.now() > expiredAtMs);
    connect();
    await done();
    expect(mill.received).toEqual([]);
    expect(await countIn(stateNumber.expired)).toBe(3);
  },
);

test.each(['resend', 'hold'] as const)(
  'a batch that is paused while connections are made leaves when it is resumed: %s',
  async (onUncertain) => {
    mill.routes.set(1, { ...testRoute, onUncertain });
    const batch = await insertBatch(mill.database, { accepted: 3 });
    await insertChunk(mill.database, { count: 3, batch });
    startWorker();
    await until(() => sends === 3);
    await pauseBatch(mill.database, { batch, accountId: 1 });
    await until(() => heldKnown.has(batch));
    connect();
    await insertChunk(mill.database, { count: 1 });
    await until(() => mill.received.length > 0);
    expect(mill.received).toHaveLength(1);
    await resumeBatch(mill.database, { batch, accountId: 1 });
    await done();
    expect(mill.received.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1]);
  },
);

test('a batch that is canceled while connections are made does not leave', async () => {
  const batch = await insertBatch(mill.database, { accepted: 3 });
  await insertChunk(mill.database, { count: 3, batch });
  const worker = startWorker();
  await until(() => sends === 3);
  await cancelBatch(mill.database, { batch, accountId: 1 });
  await until(() => heldKnown.has(batch));
  connect();
  await done();
  expect(mill.received).toEqual([]);
  expect(await countIn(stateNumber.canceled)).toBe(3);
  expect(worker.stats().counts).toMatchObject({ canceled: 3, retried: 0, attempts: 0 });
});

test('what waits for connections when its route is paused leaves by the route as it is resumed', async () => {
  await insertChunk(mill.database, { count: 3 });
  startWorker();
  await until(() => sends === 3);
  mill.routes.set(1, { ...testRoute, paused: true, version: 2 });
  mill.routes.set(2, { ...testRoute, id: 2, name: 'other' });
  mill.changeControl();
  connect();
  await insertChunk(mill.database, { count: 1, routeId: 2 });
  await until(() => mill.received.length > 0);
  expect(mill.received).toHaveLength(1);
  mill.routes.set(1, { ...testRoute, version: 3 });
  mill.changeControl();
  await done();
  expect(mill.received.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1]);
});

/** Changes nothing but that senders of before are closed. */
function changeRoute(): void {
  const route = mill.routes.get(1)!;
  mill.routes.set(1, { ...route, version: route.version + 1 });
  mill.changeControl();
}

function connectorOf(send: Sender['send']): ReadonlyMap<string, Connector> {
  const [name, onUncertainDefault] = ['test', 'resend'] as const;
  const open = (): Sender => {
    let closed = false;
    return {
      batchMax: 1,
      send: async (messages, terms) =>
        closed ? messages.map(() => unsent('sender_closed')) : send(messages, terms),
      rehearse: () => ({ kind: 'sent' }),
      close: async () => {
        closed = true;
      },
    };
  };
  const connector = { name, onUncertainDefault, optionSchemas: {}, check: () => [], open };
  return new Map([[name, connector]]);
}

function unsent(code: SendErrorCode): Answer {
  return { kind: 'retry', error: sendError(code) };
}

test('what is marked as in flight while its route is changed leaves by the route as it is then, and is no attempt before', async () => {
  mill.routes.set(1, { ...testRoute, onUncertain: 'hold', retry: { ...testRoute.retry, attemptsMax: 1 } });
  await insertChunk(mill.database, { count: 3 });
  const statements = deliveryStatements(mill.database);
  let changed = false;
  const store = {
    ...statements,
    async recordOutcomes(flush: OutcomeFlush) {
      const recorded = await statements.recordOutcomes(flush);
      if (!changed && flush.outcomes.some(({ state }) => state === stateNumber.sending)) {
        changed = true;
        changeRoute();
      }
      return recorded;
    },
  };
  const connectors = connectorOf(async (messages, { mayBegin }) => {
    if (!mayBegin()) return messages.map(() => unsent('not_begun'));
    mill.received.push(...messages);
    return messages.map(() => ({ kind: 'sent' }));
  });
  mill.worker({ connectors, store }).start();
  await done();
  expect(mill.received.map(({ attempt }) => attempt)).toEqual([1, 1, 1]);
  expect(await countIn(stateNumber.sent)).toBe(3);
});

test('a retry that was kept from beginning again and again uses up no retries', async () => {
  const refusals = 14;
  await insertChunk(mill.database, { count: 1 });
  const connectors = connectorOf(async (messages, { mayBegin }) => {
    sends++;
    if (sends === 1) return messages.map(() => unsent('rate_limited'));
    // Not amid the turn that it was sent in.
    await Promise.resolve();
    if (sends < 2 + refusals) changeRoute();
    if (!mayBegin()) return messages.map(() => unsent('not_begun'));
    mill.received.push(...messages);
    return messages.map(() => ({ kind: 'sent' }));
  });
  mill.worker({ connectors }).start();
  await done();
  expect(sends).toBe(2 + refusals);
  expect(mill.received.map(({ attempt }) => attempt)).toEqual([2]);
});
