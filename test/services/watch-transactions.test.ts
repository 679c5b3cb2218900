import pg from 'pg';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { watchTransactions } from '../../src/services/watch-transactions.ts';
import { openDatabase } from '../../src/store/database.ts';
import { until } from '../delivery/mill.ts';
import { createTestDatabase } from '../support/postgres.ts';

test('the transaction that holds back the cleaning of pending is named, one that harms nothing is not', async () => {
  const { url } = await createTestDatabase();
  const database = openDatabase({ url, poolSize: 1, name: 'watch test' });
  const idle = new pg.Client({ connectionString: url });
  const other = new pg.Client({ connectionString: url });
  await Promise.all([idle.connect(), other.connect()]);
  const found: { pid: number; deadRows: number }[] = [];
  const watch = watchTransactions({
    database,
    clock: systemClock,
    onCulprit: ({ transaction, deadRows }) => found.push({ pid: transaction.pid, deadRows }),
    onError: (error) => {
      throw error;
    },
    oldAfterMs: 20,
  });
  try {
    await idle.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    const { rows } = await idle.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await until(async () => {
      await watch.runOnce();
      const old = await other.query(
        `SELECT FROM pg_stat_activity WHERE pid = $1 AND clock_timestamp() - xact_start > interval '50 ms'`,
        [rows[0]!.pid],
      );
      return old.rowCount === 1;
    });
    await watch.runOnce();
    expect(found).toEqual([]);
    await other.query(
      `INSERT INTO pending (due_at, account_id, route_id, shard, priority, count, chunk_id)
        SELECT now(), 1, 1, 5, 1, 1, gen_random_uuid() FROM generate_series(1, 2000)`,
    );
    await other.query('DELETE FROM pending');
    await other.query('SELECT pg_stat_force_next_flush()');
    await until(async () => {
      await watch.runOnce();
      return found.length > 0;
    });
    expect(found[0]).toEqual({ pid: rows[0]!.pid, deadRows: 2_000 });
  } finally {
    await Promise.all([idle.end(), other.end(), database.close()]);
  }
});
