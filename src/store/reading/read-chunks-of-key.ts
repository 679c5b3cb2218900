import { shardOf } from '../../message/id.ts';
import type { Queryable } from '../database.ts';

/** An unfinished chunk that holds messages of an ordering key. */
export interface ChunkOfKey {
  chunkId: string;
  count: number;
  /** Of all its messages, as `decodeOrdering` reads them. */
  ordering: Uint8Array;
  /** That of the key that was asked for, alone. */
  key: Uint8Array;
}

/** The first of them: one that is finished is soon no row any more. */
const chunksMax = 16;

/** In the order of the index on places, which ends at the limit however many follow. */
const statement = {
  name: 'read_chunks_of_key',
  text: `
    WITH own AS MATERIALIZED (
      SELECT ordered, substr(ordering, 4 * $4::int + 1, 4) AS key FROM pending WHERE shard = $1 AND chunk_id = $3
    )
    SELECT p.chunk_id AS "chunkId", p.count, p.ordering, (SELECT key FROM own) AS key
      FROM pending p
     WHERE p.shard = $1 AND p.account_id = $2 AND p.ordered <= (SELECT ordered FROM own)
       AND position((SELECT key FROM own) IN p.ordering) > 0
     ORDER BY p.ordered
     LIMIT ${chunksMax}`,
};

/** Unfinished chunks of an account that may hold messages with the key of the one at `offset`, up to its own chunk, in their order. */
export async function readChunksOfKey(
  database: Queryable,
  { accountId, chunkId, offset }: { accountId: number; chunkId: string; offset: number },
): Promise<ChunkOfKey[]> {
  const values = [shardOf(chunkId), accountId, chunkId, offset];
  return (await database.query<ChunkOfKey & Record<string, unknown>>(statement, values)).rows;
}
