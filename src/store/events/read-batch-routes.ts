import { shardOf } from '../../message/id.ts';
import type { Queryable } from '../database.ts';

const statement = {
  name: 'read_batch_routes',
  text: `SELECT b.id, b.route_id AS "routeId"
    FROM unnest($1::smallint[], $2::uuid[]) AS key (shard, id)
    JOIN batch b ON b.shard = key.shard AND b.id = key.id`,
};

/** The routes of some batches, by id; those of batches that are gone are missing. */
export async function readBatchRoutes(
  database: Queryable,
  ids: readonly string[],
): Promise<Map<string, number>> {
  if (ids.length === 0) return new Map();
  const { rows } = await database.query<{ id: string; routeId: number }>(statement, [ids.map(shardOf), ids]);
  return new Map(rows.map(({ id, routeId }) => [id, routeId]));
}
