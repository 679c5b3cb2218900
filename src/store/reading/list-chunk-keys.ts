import type { Queryable } from '../database.ts';
import { lowestChunkOf } from './id-range.ts';

export interface ChunkKey {
  id: string;
  count: number;
}

/** The chunks of a batch in order, from `from` on, without their payloads. */
const listChunkKeysStatement = {
  name: 'list_chunk_keys',
  text: 'SELECT id, count FROM chunk WHERE batch = $1 AND id >= $2 ORDER BY id LIMIT $3',
};

export async function listChunkKeys(
  database: Queryable,
  page: { batch: string; from?: string | undefined; limit: number },
): Promise<ChunkKey[]> {
  const values = [page.batch, page.from ?? lowestChunkOf(page.batch), page.limit];
  const { rows } = await database.query<ChunkKey & Record<string, unknown>>(listChunkKeysStatement, values);
  return rows;
}
