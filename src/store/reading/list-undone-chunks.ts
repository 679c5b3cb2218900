import { messageIdAt } from '../../message/id.ts';
import type { Queryable } from '../database.ts';
import { type ChunkKey, listChunkKeys } from './list-chunk-keys.ts';

const pendingOfStatement = {
  name: 'pending_of_chunks',
  // The bounds keep a plan that reads the table in order to the time of these chunks.
  text: `SELECT chunk_id AS id, count FROM pending
    WHERE chunk_id = ANY($1::uuid[]) AND chunk_id BETWEEN $2 AND $3 ORDER BY chunk_id`,
};

/** Chunks of which it is asked at once whether they are finished. */
const chunksAtOnce = 1_000;

/**
 * The chunks of a batch that are not finished, from `from` on. The hot table has no index by batch: its rows are
 * found by the batch's own chunks, so that a backlog of others costs nothing.
 */
export async function listUndoneChunks(
  database: Queryable,
  page: { batch: string; from?: string | undefined; limit: number },
): Promise<ChunkKey[]> {
  const undone: ChunkKey[] = [];
  for (let { from } = page; undone.length < page.limit; ) {
    const chunks = await listChunkKeys(database, { batch: page.batch, from, limit: chunksAtOnce });
    const ids = chunks.map(({ id }) => id);
    const values = [ids, ids.at(0), ids.at(-1)];
    const { rows } = await database.query<ChunkKey & Record<string, unknown>>(pendingOfStatement, values);
    undone.push(...rows.slice(0, page.limit - undone.length));
    if (chunks.length < chunksAtOnce) break;
    from = messageIdAt(chunks.at(-1)!.id, 1);
  }
  return undone;
}
