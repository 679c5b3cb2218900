import type { Queryable } from '../database.ts';

const statement = {
  name: 'read_held_batches',
  text: `SELECT id, canceled_at IS NOT NULL AS canceled FROM batch
    WHERE done_at IS NULL AND (paused_at IS NOT NULL OR canceled_at IS NOT NULL)`,
};

/** The unfinished batches that are paused or canceled. */
export async function readHeldBatches(database: Queryable): Promise<{ id: string; canceled: boolean }[]> {
  return (await database.query<{ id: string; canceled: boolean }>(statement)).rows;
}
