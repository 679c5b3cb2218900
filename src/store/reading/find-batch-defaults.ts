import type { MessageDefaults } from '../../message/fields.ts';
import { shardOf } from '../../message/id.ts';
import type { Queryable } from '../database.ts';

const findBatchDefaultsStatement = {
  name: 'find_batch_defaults',
  text: `
    SELECT b.id, b.defaults
      FROM unnest($1::smallint[], $2::uuid[]) AS key (shard, id)
      JOIN batch b ON b.shard = key.shard AND b.id = key.id
     WHERE b.account_id = $3`,
};

/** What the lines of some batches of an account leave unsaid, by batch. */
export async function findBatchDefaults(
  database: Queryable,
  key: { accountId: number; ids: readonly string[] },
): Promise<Map<string, MessageDefaults>> {
  const { accountId, ids } = key;
  if (ids.length === 0) return new Map();
  const { rows } = await database.query<{ id: string; defaults: MessageDefaults }>(
    findBatchDefaultsStatement,
    [ids.map(shardOf), ids, accountId],
  );
  return new Map(rows.map(({ id, defaults }) => [id, defaults]));
}
