import { afterEach, beforeEach, expect, test } from 'vitest';
import { awaitWorkers } from '../../src/api/suppressing/await-workers.ts';
import type { Answer } from '../../src/connectors/connector.ts';
import type { DeliveryStore } from '../../src/delivery/delivery-store.ts';
import type { DeliveryWorker, DeliveryWorkerSettings } from '../../src/delivery/delivery-worker.ts';
import { encodeChunk } from '../../src/message/chunk-codec.ts';
import { shardOf } from '../../src/message/id.ts';
import { stateNumber } from '../../src/message/state.ts';
import { suppressedForm, suppressionChannel, suppressionHash } from '../../src/message/suppression.ts';
import { insertSuppressions } from '../../src/store/control/suppressions.ts';
import { deliveryStatements } from '../../src/store/delivery/delivery-statements.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { connecting } from './connecting.ts';
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
/** How often each statement was begun. */
let calls: Record<string, number>;

beforeEach(async () => {
  mill = createMill((await createTestDatabase()).url);
  calls = {};
});

afterEach(async () => {
  expect(mill.errors).toEqual([]);
  await mill.close();
});

const phone = (n: number) => `+3161234${1_000 + n}`;
const phones = (from: number, count: number) => Array.from({ length: count }, (_, n) => phone(from + n));
const linesTo = (recipients: readonly string[]) => recipients.map((to) => JSON.stringify({ to, body: 'x' }));

/** As the API does it. */
async function suppress(recipients: string[], accountId = 1): Promise<void> {
  const entries = recipients.map((to) => ({
    hash: suppressionHash(accountId, to)!,
    channel: suppressionChannel(to)!,
    to: suppressedForm(to),
    ...{ reason: null, ref: null },
  }));
  const channels = [...new Set(entries.map(({ channel }) => channel))];
  await awaitWorkers(mill.database, { accountId, channels });
  await mill.database.transaction((transaction) => insertSuppressions(transaction, { accountId, entries }));
}

function startWorker(settings: Partial<DeliveryWorkerSettings> = {}): DeliveryWorker {
  const counted = new Proxy(deliveryStatements(mill.database), {
    get: (statements, name: keyof DeliveryStore) => (argument: never) => {
      calls[name] = (calls[name] ?? 0) + 1;
      return statements[name](argument);
    },
  });
  const worker = mill.worker({ store: counted, ...settings });
  worker.start();
  return worker;
}

/** The worker has begun a turn and ended it. */
async function turn(): Promise<void> {
  const before = calls.readSuppressionDigest ?? 0;
  await until(() => (calls.readSuppressionDigest ?? 0) >= before + 2);
}

/** The worker owns every shard, and knows which lists there are. */
async function ready(worker: DeliveryWorker): Promise<void> {
  await until(() => worker.heldShards().length === 1_024);
  await turn();
}

/** Stores messages and tells the worker, with all that it needs to send them. */
async function sendHinted(worker: DeliveryWorker, recipients: string[], accountId = 1): Promise<string> {
  const lines = linesTo(recipients);
  const beganAtMs = performance.now();
  const chunkId = await insertChunk(mill.database, { lines, accountId });
  const key = { accountId, routeId: 1, priority: 1, shard: shardOf(chunkId), chunkId, batch: null };
  const { codec, payload } = encodeChunk(Buffer.from(lines.join('\n')));
  worker.hint([{ ...key, count: lines.length, beganAtMs, codec, payload }]);
  return chunkId;
}

const done = () => until(async () => (await pendingCount(mill.database)) === 0);
const receivedBy = () => mill.received.map(({ fields }) => fields.to);

test.each(['resend', 'hold'] as const)(
  'who is suppressed gets nothing, and it is counted and told in one outcome (%s)',
  async (onUncertain) => {
    mill.routes.set(1, { ...testRoute, onUncertain });
    await suppress([phone(3), phone(7), 'ada@example.com']);
    await suppress([phone(4)], 2);
    const recipients = [...phones(0, 10), 'Ada@EXAMPLE.com', 'bob@example.com'];
    const batch = await insertBatch(mill.database, { accepted: 12 });
    const chunkId = await insertChunk(mill.database, { batch, lines: linesTo(recipients) });
    startWorker();
    await done();
    const left = recipients.filter((to) => ![phone(3), phone(7), 'Ada@EXAMPLE.com'].includes(to));
    expect(receivedBy().sort()).toEqual(left.sort());
    expect(await progressOf(mill.database, batch)).toMatchObject({ 100: 12, 3: 9, 8: 3 });
    const { rows } = await mill.database.query(
      {
        name: 'test_suppressed',
        text: 'SELECT attempt, count, error_code FROM outcome WHERE chunk_id = $1 AND state = $2',
      },
      [chunkId, stateNumber.suppressed],
    );
    expect(rows).toEqual([{ attempt: 0, count: 3, error_code: 'suppressed' }]);
  },
);

test('what was suppressed before a message was stored holds, however soon the worker hears of the message', async () => {
  const worker = startWorker();
  await ready(worker);
  for (let round = 0; round < 40; round++) {
    // The first of each account makes its list.
    const accountId = 1 + Math.floor(round / 10);
    await suppress([phone(round)], accountId);
    await sendHinted(worker, [phone(round), phone(1_000 + round)], accountId);
  }
  await done();
  expect(receivedBy().sort()).toEqual(phones(1_000, 40).sort());
});

test('an account without a list costs no look-up, and messages that come with their hint no read', async () => {
  await suppress([phone(0)], 2);
  const worker = startWorker();
  await ready(worker);
  for (let n = 0; n < 20; n++) await sendHinted(worker, [phone(n)]);
  await done();
  expect(mill.received).toHaveLength(20);
  expect(calls.findSuppressed).toBeUndefined();
  // Some may be found by reading before their hint arrives.
  expect(calls.loadChunks ?? 0).toBeLessThan(20);
});

test.each([
  ['to a list that is there', 1, true],
  ['to a list that is new', 1, false],
  ['more than is read in a turn', 6_000, true],
])('what is added %s holds for messages in memory', async (_, added, isThere) => {
  if (isThere) await suppress([phone(9_000)]);
  mill.routes.set(1, { ...testRoute, concurrency: 1 });
  let release: (answer: Answer) => void = () => {};
  const released = new Promise<Answer>((resolve) => {
    release = resolve;
  });
  mill.respond = () => released;
  await insertChunk(mill.database, { lines: linesTo(phones(0, 50)) });
  const worker = startWorker();
  await until(() => mill.received.length === 1);
  const [first] = receivedBy();
  const meant = phones(0, 50).filter((to) => to !== first);
  await suppress([...meant.slice(0, 20), ...phones(5_000, added)]);
  await turn();
  release({ kind: 'sent' });
  await done();
  expect(receivedBy().sort()).toEqual([first, ...meant.slice(20)].sort());
  expect(worker.stats().counts).toMatchObject({ sent: 30, suppressed: 20 });
});

test.each(['resend', 'hold'] as const)(
  'what is added while connections are made holds for the messages that wait for them (%s)',
  async (onUncertain) => {
    mill.routes.set(1, { ...testRoute, onUncertain });
    let sends = 0;
    let connect: () => void = () => {};
    const connected = new Promise<void>((resolve) => {
      connect = resolve;
    });
    const connectors = connecting(mill.received, () => {
      sends++;
      return connected;
    });
    const worker = startWorker({ connectors });
    await insertChunk(mill.database, { lines: linesTo(phones(0, 3)) });
    await until(() => sends === 3);
    await suppress([phone(1)]);
    await turn();
    connect();
    await done();
    expect(receivedBy().sort()).toEqual([phone(0), phone(2)]);
    expect(worker.stats().counts).toMatchObject({ sent: 2, suppressed: 1, uncertain: 0 });
  },
);

test('a message that waits for its retry is not tried again', async () => {
  mill.routes.set(1, { ...testRoute, retry: { ...testRoute.retry, backoffMinMs: 1, backoffMaxMs: 50 } });
  mill.respond = ({ fields }) =>
    fields.to === phone(1)
      ? { kind: 'retry', error: { code: 'rate_limited', detail: 'slower' } }
      : { kind: 'sent' };
  const worker = startWorker();
  await insertChunk(mill.database, { lines: linesTo(phones(0, 3)) });
  await until(() => receivedBy().filter((to) => to === phone(1)).length > 2);
  await suppress([phone(1)]);
  await done();
  expect(worker.stats().counts).toMatchObject({ sent: 2, suppressed: 1, failed: 0 });
});

test('whoever adds the first recipient of a list is answered when every worker knows it, or has gone', async () => {
  const store = deliveryStatements(mill.database);
  const ids = ['1', '2', '3'].map((n) => `${n.repeat(8)}-0000-4000-8000-000000000000`);
  for (const id of ids) await store.registerWorker({ id, host: 'here', pid: 1 });
  await store.leaveWorker(ids[2]!);
  let answered = false;
  const added = suppress([phone(0)]).then(() => {
    answered = true;
  });
  await until(async () => (await store.readSuppressionLists()).length === 1);
  expect(await store.knowSuppressionLists({ workerId: ids[0]!, lists: 1 })).toBe(true);
  expect(answered).toBe(false);
  await store.removeWorker(ids[1]!);
  await added;
  // From then on nobody waits.
  await store.registerWorker({ id: ids[1]!, host: 'here', pid: 1 });
  await suppress([phone(1)]);
});
