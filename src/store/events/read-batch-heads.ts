import { shardOf } from '../../message/id.ts';
import type { Queryable } from '../database.ts';

/** What the events of a batch tell of it beside its state. */
export interface BatchHead {
  routeId: number;
  /** A test key has made it. */
  test: boolean;
}

const statement = {
  name: 'read_batch_heads',
  text: `SELECT b.id, b.route_id AS "routeId", b.defaults ? 'test' AS test
    FROM unnest($1::smallint[], $2::uuid[]) AS key (shard, id)
    JOIN batch b ON b.shard = key.shard AND b.id = key.id`,
};

/** By the ids of the batches; those of batches that are gone are missing. */
export async function readBatchHeads(
  database: Queryable,
  ids: readonly string[],
): Promise<Map<string, BatchHead>> {
  if (ids.length === 0) return new Map();
  const { rows } = await database.query<BatchHead & { id: string }>(statement, [ids.map(shardOf), ids]);
  return new Map(rows.map(({ id, ...head }) => [id, head]));
}
