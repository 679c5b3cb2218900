import type { Queryable } from '../database.ts';

const statement = {
  name: 'register_worker',
  text: `INSERT INTO worker (id, beat, host, pid, suppression_lists) VALUES ($1, 0, $2, $3, 0)
    ON CONFLICT (id) DO NOTHING`,
};

/** A worker id is used once: a worker whose row was taken away comes back under a new id. */
export async function registerWorker(
  database: Queryable,
  worker: { id: string; host: string; pid: number },
): Promise<void> {
  await database.query(statement, [worker.id, worker.host, worker.pid]);
}
