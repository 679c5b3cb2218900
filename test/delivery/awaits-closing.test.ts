import { afterEach, beforeEach, expect, test } from 'vitest';
import { messageIdAt } from '../../src/message/id.ts';
import { limits } from '../../src/message/limits.ts';
import { type SendWindow, weekdays } from '../../src/message/send-window/send-window.ts';
import { requestOfMessage } from '../../src/store/decisions/request-decision.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createMill, insertBatch, insertChunk, type Mill, pendingCount, testRoute, until } from './mill.ts';

let mill: Mill;

beforeEach(async () => {
  mill = createMill((await createTestDatabase()).url);
});

afterEach(async () => {
  await mill.close();
});

const hourAgoMs = () => Date.now() - 3_600_000;
const always: SendWindow = { days: [...weekdays], from: '00:00', to: '24:00', timeZone: 'recipient' };

async function held(): Promise<number> {
  const text = `SELECT count(*)::int AS count FROM pending WHERE due_at = 'infinity'`;
  const { rows } = await mill.database.query<{ count: number }>({ name: 'test_held', text });
  return rows[0]!.count;
}

async function canceled(): Promise<number> {
  const text = 'SELECT coalesce(sum(count), 0)::int AS count FROM outcome WHERE state = 7';
  const { rows } = await mill.database.query<{ count: number }>({ name: 'test_canceled', text });
  return rows[0]!.count;
}

/** What closing does, for all batches. */
async function release(): Promise<void> {
  const text = `WITH due AS (UPDATE pending SET due_at = now() WHERE due_at = 'infinity')
    UPDATE batch SET released_at = now()`;
  await mill.database.query({ name: 'test_release', text });
}

test('a batch that waits for its closing does, whatever is decided on its messages and however its route changes', async () => {
  const unixMs = hourAgoMs();
  const batch = await insertBatch(mill.database, { accepted: 9, unixMs });
  const waits = { batch, count: 3, awaitsClosing: true };
  const chunks = [
    await insertChunk(mill.database, { ...waits, unixMs }),
    await insertChunk(mill.database, waits),
    await insertChunk(mill.database, { ...waits, keys: [7, 8, 9] }),
  ];
  const worker = mill.worker();
  worker.start();
  await until(() => worker.stats().shards === limits.shards);
  for (const chunk of chunks) {
    const request = { messageId: messageIdAt(chunk, 1), batch, count: 3 };
    await requestOfMessage(mill.database, { ...request, kind: 'cancel', filter: {} });
  }
  await until(async () => (await canceled()) === 3);
  mill.routes.set(1, { ...testRoute, version: 2, sendWindow: always });
  mill.changeControl();
  // What is stored now is found by a later read than those of the decisions.
  const other = await insertChunk(mill.database, { lines: ['{"to":"+3546123456"}'] });
  await until(() => mill.received.length > 0 && worker.stats().loadedChunks === 0);
  expect([mill.received.map(({ id }) => id), await held()]).toEqual([[other], 3]);
  await release();
  worker.released(batch);
  await until(async () => (await pendingCount(mill.database)) === 0);
  const sent = mill.received.slice(1).map(({ id }) => id);
  expect(sent.sort()).toEqual(
    chunks.flatMap((chunk) => [messageIdAt(chunk, 0), messageIdAt(chunk, 2)]).sort(),
  );
});

test('what waits for its closing is not freed by the messages of its key before it', async () => {
  const batch = await insertBatch(mill.database, { accepted: 2 });
  const waits = { batch, shard: 5, awaitsClosing: true };
  const first = await insertChunk(mill.database, { shard: 5, keys: [7] });
  const second = await insertChunk(mill.database, { ...waits, keys: [7, 8] });
  const third = await insertChunk(mill.database, { ...waits, keys: [8] });
  const worker = mill.worker();
  worker.start();
  await until(() => mill.received.length === 1);
  const request = { messageId: messageIdAt(second, 1), batch, count: 2 };
  await requestOfMessage(mill.database, { ...request, kind: 'cancel', filter: {} });
  await until(async () => (await canceled()) === 1);
  const other = await insertChunk(mill.database, { shard: 5, keys: [9] });
  await until(() => mill.received.length > 1 && worker.stats().loadedChunks === 0);
  expect([mill.received.map(({ id }) => id), await held()]).toEqual([[first, other], 2]);
  await release();
  worker.released(batch);
  await until(async () => (await pendingCount(mill.database)) === 0);
  expect(
    mill.received
      .slice(2)
      .map(({ id }) => id)
      .sort(),
  ).toEqual([second, third].sort());
});
