import type { StateNumber } from '../../message/state.ts';
import type { Queryable } from '../database.ts';
import { lowestChunkOf } from './id-range.ts';
import type { ChunkKey } from './list-chunk-keys.ts';

/**
 * The chunks of a batch, from `from` on, in which some message once had the state; whether one still has it,
 * the fold tells. The condition on 3 and 4 is that of the partial index, which leaves out sent and delivered.
 */
const listChunksWithOutcomeStatement = {
  name: 'list_chunks_with_outcome',
  text: `
    SELECT c.id, c.count
      FROM (
        SELECT DISTINCT chunk_id, shard FROM outcome
         WHERE batch = $1 AND chunk_id >= $2 AND state = $3 AND state NOT IN (3, 4)
         ORDER BY chunk_id LIMIT $4
      ) AS key
      JOIN chunk c ON c.shard = key.shard AND c.id = key.chunk_id
     ORDER BY c.id`,
};

export async function listChunksWithOutcome(
  database: Queryable,
  page: { batch: string; state: StateNumber; from?: string | undefined; limit: number },
): Promise<ChunkKey[]> {
  const values = [page.batch, page.from ?? lowestChunkOf(page.batch), page.state, page.limit];
  const { rows } = await database.query<ChunkKey & Record<string, unknown>>(
    listChunksWithOutcomeStatement,
    values,
  );
  return rows;
}
