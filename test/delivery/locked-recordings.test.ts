import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { deliveryStatements } from '../../src/store/delivery/delivery-statements.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createMill, insertChunk, type Mill, pendingCount, until } from './mill.ts';

const [flushesMax, allShards] = [2, 1_024];
/** More of them than shards are recorded at a time. */
const lockedShards = [3, 4, 5];

let mill: Mill;
/** Of the worker: its statements end soon. */
let impatient: Database;
/** Of somebody who keeps a transaction open. */
let session: Database;

beforeEach(async () => {
  const { url } = await createTestDatabase();
  mill = createMill(url);
  impatient = openDatabase({ url, name: 'impatient', poolSize: flushesMax + 2, statementTimeoutMs: 500 });
  session = openDatabase({ url, name: 'session', poolSize: 1, statementTimeoutMs: 120_000 });
});

afterEach(async () => {
  await mill.close();
  await impatient.close();
  await session.close();
});

test('shards whose rows somebody keeps locked hold up the outcomes of no others, and are recorded when they are free', async () => {
  const worker = mill.worker({ flushesMax, store: deliveryStatements(impatient) });
  worker.start();
  await until(() => worker.heldShards().length === allShards);
  await session.transaction(async (transaction) => {
    const text = `SELECT FROM shard_owner WHERE shard IN (${lockedShards}) FOR UPDATE`;
    await transaction.query({ name: '', text });
    for (const shard of lockedShards) await insertChunk(mill.database, { shard, count: 10 });
    await until(() => mill.received.length === 10 * lockedShards.length);
    for (const shard of [9, 10]) await insertChunk(mill.database, { shard, count: 10 });
    await until(async () => (await pendingCount(mill.database)) === lockedShards.length);
  });
  await until(async () => (await pendingCount(mill.database)) === 0);
  expect(mill.received).toHaveLength(50);
  expect(worker.heldShards()).toHaveLength(allShards);
});
