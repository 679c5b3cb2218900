import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { encodeChunk } from '../../src/message/chunk-codec.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createMill, insertChunk, type Mill, newId, pendingCount, until } from './mill.ts';

let url: string;
let mill: Mill;
let clients: pg.Client[];

beforeEach(async () => {
  ({ url } = await createTestDatabase());
  mill = createMill(url);
  clients = [];
});

afterEach(async () => {
  for (const client of clients) await client.end();
  await mill.close();
});

/** Longer than most reads look back, and than most transactions take. */
const heldMs = 3_000;

/** A chunk whose transaction is left open: its id is made, and nobody else can see it. */
async function openChunk(shard: number): Promise<{ id: string; commit(): Promise<unknown> }> {
  const client = new pg.Client({ connectionString: url, application_name: 'late commits test' });
  await client.connect();
  clients.push(client);
  const id = newId(shard);
  const { codec, payload } = encodeChunk(Buffer.from('{"to":"+31612345678"}'));
  await client.query('BEGIN');
  await client.query(
    `INSERT INTO chunk (shard, id, account_id, route_id, priority, count, codec, payload, timed)
      VALUES ($1, $2, 1, 1, 1, 1, $3, $4, false)`,
    [shard, id, codec, payload],
  );
  await client.query(
    `INSERT INTO pending (shard, chunk_id, account_id, route_id, priority, count, due_at)
      VALUES ($1, $2, 1, 1, 1, 1, now())`,
    [shard, id],
  );
  return { id, commit: () => client.query('COMMIT') };
}

test('chunks that commit seconds late and out of the order of their ids are all sent, each once', async () => {
  mill.worker().start();
  // Two on one shard, so that both lie behind what was read of it.
  const early = [await openChunk(7), await openChunk(7), await openChunk(500), await openChunk(1_000)];
  const heldSinceMs = systemClock.monotonicMs();
  const later: string[] = [];
  while (systemClock.monotonicMs() - heldSinceMs < heldMs) {
    later.push(await insertChunk(mill.database, { shard: [7, 500, 1_000][later.length % 3]! }));
    await until(() => mill.received.length === later.length);
  }
  expect(mill.received.map(({ id }) => id).sort()).toEqual([...later].sort());
  for (const { commit } of [early[2]!, early[1]!, early[3]!, early[0]!]) {
    await commit();
    later.push(await insertChunk(mill.database, { shard: 7 }));
  }
  await until(async () => (await pendingCount(mill.database)) === 0);
  const all = [...early.map(({ id }) => id), ...later].sort();
  expect(mill.received.map(({ id }) => id).sort()).toEqual(all);
});
