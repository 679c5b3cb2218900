import type { Queryable } from '../database.ts';

const statement = { name: 'leave_worker', text: 'UPDATE worker SET leaving = true WHERE id = $1' };

/** For a worker that begins to stop: shards are divided without it from now on. */
export async function leaveWorker(database: Queryable, workerId: string): Promise<void> {
  await database.query(statement, [workerId]);
}
