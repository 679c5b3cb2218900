import type { Queryable } from '../database.ts';
import { lowestChunkOf } from './id-range.ts';
import type { ChunkKey } from './list-chunk-keys.ts';

/**
 * The chunks of a batch that are not finished, from `from` on. The hot table has no index by batch: its key
 * is read in order from the batch's first moment on, and it holds only what waits.
 */
const listUndoneChunksStatement = {
  name: 'list_undone_chunks',
  text: `
    SELECT chunk_id AS id, count FROM pending
     WHERE batch = $1 AND chunk_id >= $2 ORDER BY chunk_id LIMIT $3`,
};

export async function listUndoneChunks(
  database: Queryable,
  page: { batch: string; from?: string | undefined; limit: number },
): Promise<ChunkKey[]> {
  const values = [page.batch, page.from ?? lowestChunkOf(page.batch), page.limit];
  const { rows } = await database.query<ChunkKey & Record<string, unknown>>(
    listUndoneChunksStatement,
    values,
  );
  return rows;
}
