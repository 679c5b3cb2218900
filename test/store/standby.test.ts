import { expect, onTestFinished, test } from 'vitest';
import { startEmbedded } from '../../src/embedded/start-embedded.ts';
import { retryStore } from '../../src/intake/retry-store.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { createIdMint } from '../../src/store/id-mint.ts';
import { createBatch } from '../../src/store/intake/create-batch.ts';
import type { ChunkRow } from '../../src/store/intake/insert-chunks.ts';
import { storeMessages } from '../../src/store/intake/store-messages.ts';
import { storeSlots } from '../../src/store/intake/store-slots.ts';
import { migrate } from '../../src/store/migrate.ts';
import { partitionRange } from '../../src/store/partitions.ts';
import { temporaryDirectory } from '../embedded/data-directory.ts';
import { eventually } from '../intake/start-intake.ts';

const shard = 5;

test('a write whose wait for the standby was cut short waits for it when it is repeated', async () => {
  const { database, operator } = await startServer();
  const range = await partitionRange(database);
  const mint = createIdMint({ nowMs: Date.now, range: () => range });
  const batch = mint.mint(shard);
  const chunk = (): ChunkRow => ({
    id: mint.mint(shard),
    ...{ accountId: 1, routeId: 1, priority: 1, count: 1, codec: 0, timed: false, dueAt: null },
    payload: Buffer.from('{}'),
    lookup: { hashes: [] },
  });
  const chunks = [chunk()];
  const slots = [{ firstLine: 1, lines: 1, accepted: 1, rejected: 0, chunk: chunk() }];
  const settings = { accountId: 1, routeId: 1, priority: 1, startOn: 'now' as const, defaults: {} };
  const writes: Record<string, () => Promise<unknown>> = {
    createBatch: () => createBatch(database, { id: batch, ...settings }),
    storeSlots: () => storeSlots(database, { batch, shard, upload: 1, slots }),
    storeMessages: () => storeMessages(database, { shard, chunks }),
  };
  for (const [name, write] of Object.entries(writes)) {
    await setStandby(operator, 'nobody');
    const done = retryStore(write, { clock: systemClock }).then(() => 'done without the standby');
    const firstWait = await waiting(operator);
    await run(operator, 'SELECT pg_cancel_backend($1)', [firstWait.pid]);
    const again = waiting(operator, firstWait.since).then(() => 'waits for the standby');
    expect.soft(await Promise.race([done, again]), name).toBe('waits for the standby');
    await setStandby(operator, '');
    await done;
  }
});

/** A server, and two ways to it: one for the writes, and one that waits for no standby itself. */
async function startServer(): Promise<{ database: Database; operator: Database }> {
  const server = await startEmbedded({ dataDir: await temporaryDirectory() });
  onTestFinished(() => server.stop());
  await migrate({ connectionString: server.url });
  const open = (name: string) => {
    const database = openDatabase({ url: server.url, poolSize: 1, name });
    onTestFinished(() => database.close());
    return database;
  };
  return { database: open('writer'), operator: open('operator') };
}

function run(database: Database, text: string, values: unknown[] = []) {
  return database.query<{ pid: number; since: Date }>({ name: '', text }, values);
}

/** The server is asked to wait for a standby that is not there; '' ends the waits for it. */
async function setStandby(operator: Database, name: string): Promise<void> {
  await run(operator, `ALTER SYSTEM SET synchronous_standby_names = '${name}'`);
  await run(operator, 'SELECT pg_reload_conf()');
  await eventually(async () => {
    const shown = `SELECT FROM pg_settings WHERE name = 'synchronous_standby_names' AND setting = $1`;
    return (await run(operator, shown, [name])).rows.length === 1;
  });
}

/** The writer while it waits for the standby, in a statement that began after `since`. */
async function waiting(operator: Database, since = new Date(0)): Promise<{ pid: number; since: Date }> {
  let found: { pid: number; since: Date }[] = [];
  await eventually(async () => {
    const text = `SELECT pid, query_start AS since FROM pg_stat_activity
      WHERE application_name = 'millrace writer' AND wait_event = 'SyncRep'
        AND query_start > $1::timestamptz + interval '1 millisecond'`;
    found = (await run(operator, text, [since])).rows;
    return found.length === 1;
  });
  return found[0]!;
}
