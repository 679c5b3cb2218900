import type { Queryable } from '../database.ts';

const ownStatement = { name: 'remove_worker', text: 'DELETE FROM worker WHERE id = $1' };

/** For a worker that stops: its shards are free from now on. */
export async function removeWorker(database: Queryable, workerId: string): Promise<void> {
  await database.query(ownStatement, [workerId]);
}

const silentStatement = {
  name: 'remove_silent_worker',
  text: 'DELETE FROM worker WHERE id = $1 AND beat = $2',
};

/**
 * Takes the lease of a worker whose beat stood still. It either beats first, and nothing happens, or finds
 * its row gone: there is no moment in which both believe that they own its shards.
 */
export async function removeSilentWorker(
  database: Queryable,
  worker: { id: string; beat: string },
): Promise<boolean> {
  const { rowCount } = await database.query(silentStatement, [worker.id, worker.beat]);
  return rowCount > 0;
}
