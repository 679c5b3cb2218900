import { messageIdAt, parseId } from '../../message/id.ts';
import type { Queryable } from '../database.ts';

/** By the places of chunks and the keys' hashes, as their owner finds out who waits for whom: see docs/decisions/ordering.md. */
const statement = {
  name: 'find_earlier_of_key',
  text: `
    SELECT p.chunk_id AS "chunkId", o.place AS "offset"
      FROM pending own
      JOIN pending p ON p.shard = own.shard AND p.account_id = own.account_id AND p.ordered <= own.ordered
      CROSS JOIN LATERAL generate_series(0, p.count - 1) AS o (place)
     WHERE own.shard = $1 AND own.chunk_id = $2
       AND position(substr(own.ordering, 4 * $3::int + 1, 4) IN p.ordering) > 0
       AND substr(p.ordering, 4 * o.place + 1, 4) = substr(own.ordering, 4 * $3::int + 1, 4)
       AND (p.ordered < own.ordered OR o.place < $3::int)
       AND CASE WHEN p.remaining IS NULL THEN true
                WHEN o.place >= 8 * octet_length(p.remaining) THEN false
                ELSE get_bit(p.remaining, o.place) = 1 END
     ORDER BY p.ordered, o.place
     LIMIT 1`,
};

/** The first message of the same ordering key that has not come to its end, where it stands before this one: its id. */
export async function findEarlierOfKey(database: Queryable, id: string): Promise<string | undefined> {
  const { shard, offset } = parseId(id);
  const values = [shard, messageIdAt(id, 0), offset];
  const { rows } = await database.query<{ chunkId: string; offset: number }>(statement, values);
  return rows[0] && messageIdAt(rows[0].chunkId, rows[0].offset);
}
