import { randomFillSync } from 'node:crypto';
import pg from 'pg';
import { expect, test } from 'vitest';
import { encodeChunk } from '../../src/message/chunk-codec.ts';
import { makeChunkId } from '../../src/message/id.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createMill, type Mill, pendingCount, until } from './mill.ts';

const roundChunks = 1_500;
/** Rounds behind the idle transaction within which one has to come near the best before it. */
const afterMax = 20;

/** Messages that a worker delivers a second of a round of single ones: a row of `pending` each, all to be deleted. */
async function deliverRound(mill: Mill): Promise<number> {
  const { codec, payload } = encodeChunk(Buffer.from('{"to":"+31612345678"}'));
  const shards = Array.from({ length: roundChunks }, (_, n) => n % 64);
  const unixMs = Date.now();
  const ids = shards.map((shard) =>
    makeChunkId({ unixMs, shard, random: randomFillSync(new Uint8Array(8)) }),
  );
  const before = mill.received.length;
  await mill.database.transaction(async (transaction) => {
    await transaction.query(
      {
        name: 'test_round',
        text: `INSERT INTO chunk (shard, id, account_id, route_id, priority, count, codec, payload)
          SELECT shard, id, 1, 1, 1, 1, $3, $4 FROM unnest($1::smallint[], $2::uuid[]) AS round (shard, id)`,
      },
      [shards, ids, codec, payload],
    );
    await transaction.query(
      {
        name: 'test_round_pending',
        text: `INSERT INTO pending (shard, chunk_id, account_id, route_id, priority, count, due_at)
          SELECT shard, id, 1, 1, 1, 1, now() FROM unnest($1::smallint[], $2::uuid[]) AS round (shard, id)`,
      },
      [shards, ids],
    );
  });
  await until(() => mill.received.length > before);
  const sinceMs = performance.now();
  await until(
    async () => mill.received.length === before + roundChunks && (await pendingCount(mill.database)) === 0,
  );
  return roundChunks / (performance.now() - sinceMs);
}

/** As the connections that made them have told: they do so now and then. */
async function deadRows(mill: Mill): Promise<number> {
  const { rows } = await mill.database.query<{ dead: number }>({
    name: 'test_dead',
    text: `SELECT n_dead_tup::int AS dead FROM pg_stat_user_tables WHERE relname = 'pending'`,
  });
  return rows[0]!.dead;
}

test('a transaction that is left idle takes no more than a fifth of the rate, however many rows die behind it', async () => {
  const { url } = await createTestDatabase();
  const mill = createMill(url);
  const idle = new pg.Client({ connectionString: url });
  await idle.connect();
  try {
    mill.worker().start();
    await deliverRound(mill);
    const before: number[] = [];
    for (let round = 0; round < 4; round++) before.push(await deliverRound(mill));
    await idle.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await idle.query('SELECT count(*) FROM pending');
    for (let round = 0; round < 4; round++) await deliverRound(mill);
    // The best of each: other tests share the machine. Rows that die only add up, so what slows down stays slow.
    const best = Math.max(...before);
    let share = 0;
    for (let round = 0; round < afterMax && share <= 0.8; round++) {
      share = Math.max(share, (await deliverRound(mill)) / best);
    }
    await until(async () => (await deadRows(mill)) > 4 * roundChunks);
    expect(share).toBeGreaterThan(0.8);
  } finally {
    await idle.end();
    await mill.close();
  }
});
