import type { Queryable } from '../database.ts';

const statement = {
  name: 'beat_worker',
  text: `UPDATE worker SET beat = beat + 1 WHERE id = $1
    RETURNING extract(epoch FROM clock_timestamp())::float8 * 1000 AS now_ms`,
};

/**
 * Renews the lease: the database's time in Unix milliseconds, or undefined when the worker's row is gone.
 * A row is only ever removed as a whole and never comes back, so a beat that succeeds means that nobody
 * has taken any of the worker's shards.
 */
export async function beatWorker(database: Queryable, workerId: string): Promise<number | undefined> {
  const { rows } = await database.query<{ now_ms: number }>(statement, [workerId]);
  return rows[0]?.now_ms;
}
