import { shardOf } from '../../message/id.ts';
import type { Queryable } from '../database.ts';
import { withBatchEvent } from './batch-event.ts';
import type { BatchKey } from './hold-batch.ts';

const statement = {
  name: 'reopen_batch',
  text: withBatchEvent({
    set: 'done_at = NULL, counts = NULL, canceled_at = NULL, reopened = reopened + 1',
    where: 'account_id = $3 AND (canceled_at IS NULL OR done_at IS NOT NULL)',
  }),
};

/**
 * The batch is not done any more, and not canceled: some of its messages get new attempts. False for one that
 * is still being canceled, or is not there.
 */
export async function reopenBatch(database: Queryable, { batch, accountId }: BatchKey): Promise<boolean> {
  const { rowCount } = await database.query(statement, [shardOf(batch), batch, accountId]);
  return rowCount > 0;
}
