import type { Queryable } from '../database.ts';

const statement = {
  name: 'read_released_batches',
  text: `SELECT id FROM batch
    WHERE done_at IS NULL AND released_at > now() - $1::float8 * interval '1 millisecond'`,
};

/** Batches that waited for their closing and were let go within the last `ageMs`. */
export async function readReleasedBatches(database: Queryable, ageMs: number): Promise<string[]> {
  const { rows } = await database.query<{ id: string }>(statement, [ageMs]);
  return rows.map(({ id }) => id);
}
