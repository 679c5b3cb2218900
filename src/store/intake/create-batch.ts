import type { MessageDefaults } from '../../message/fields.ts';
import { shardOf } from '../../message/id.ts';
import type { Queryable } from '../database.ts';

export interface NewBatch {
  id: string;
  accountId: number;
  routeId: number;
  priority: number;
  startOn: 'now' | 'close';
  defaults: MessageDefaults;
  tags?: string[];
  metadata?: Record<string, unknown>;
}

/**
 * Repeating it with the same id changes nothing: a lost answer is asked for again. It writes all the same, because a
 * COMMIT of nothing would not wait for the standby that the first one may not have reached.
 */
export async function createBatch(database: Queryable, batch: NewBatch): Promise<void> {
  await database.query(
    {
      name: 'create_batch',
      text: `INSERT INTO batch (shard, id, account_id, route_id, priority, start_on, defaults, tags, metadata)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (shard, id) DO UPDATE SET start_on = batch.start_on`,
    },
    [
      shardOf(batch.id),
      batch.id,
      batch.accountId,
      batch.routeId,
      batch.priority,
      batch.startOn,
      JSON.stringify(batch.defaults),
      batch.tags ?? null,
      batch.metadata ? JSON.stringify(batch.metadata) : null,
    ],
  );
}
