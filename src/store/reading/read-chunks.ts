import { shardOf } from '../../message/id.ts';
import type { TemplatePins } from '../../message/templates/pins.ts';
import type { Queryable } from '../database.ts';

/** A chunk as it lies in the database; `payload` is still compressed. */
export interface StoredChunk {
  id: string;
  batch: string | null;
  routeId: number;
  priority: number;
  count: number;
  codec: number;
  payload: Buffer;
  /** What the templates mean that its lines name; null where none does. */
  templates: TemplatePins | null;
}

/**
 * Chunks by their ids, each found by its own key: joined to a list rather than `= ANY` on both columns,
 * which an index scan would take for every pair of a shard and an id.
 */
const readChunksStatement = {
  name: 'read_chunks',
  text: `
    SELECT c.id, c.batch, c.route_id, c.priority, c.count, c.codec, c.payload, c.templates
      FROM unnest($1::smallint[], $2::uuid[]) AS key (shard, id)
      JOIN chunk c ON c.shard = key.shard AND c.id = key.id
     WHERE c.account_id = $3 AND c.id >= $4 AND c.id <= $5
     ORDER BY c.id`,
};

/** Those of the chunks that the account has, in order of id. `ids` must be in that order too. */
export async function readChunks(
  database: Queryable,
  key: { accountId: number; ids: readonly string[] },
): Promise<StoredChunk[]> {
  const { accountId, ids } = key;
  if (ids.length === 0) return [];
  const { rows } = await database.query<{
    id: string;
    batch: string | null;
    route_id: number;
    priority: number;
    count: number;
    codec: number;
    payload: Buffer;
    templates: TemplatePins | null;
  }>(readChunksStatement, [ids.map(shardOf), ids, accountId, ids[0], ids.at(-1)]);
  return rows.map(({ route_id, ...row }) => ({ ...row, routeId: route_id }));
}
