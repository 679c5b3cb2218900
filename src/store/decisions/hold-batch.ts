import { shardOf } from '../../message/id.ts';
import type { Queryable, Statement } from '../database.ts';

export interface BatchKey {
  batch: string;
  accountId: number;
}

const pauseStatement = {
  name: 'pause_batch',
  text: `UPDATE batch SET paused_at = coalesce(paused_at, now())
    WHERE shard = $1 AND id = $2 AND account_id = $3 AND done_at IS NULL AND canceled_at IS NULL`,
};

const resumeStatement = {
  name: 'resume_batch',
  text: 'UPDATE batch SET paused_at = NULL WHERE shard = $1 AND id = $2 AND account_id = $3 AND canceled_at IS NULL',
};

const cancelStatement = {
  name: 'cancel_batch',
  text: `UPDATE batch SET canceled_at = coalesce(canceled_at, now()), paused_at = NULL
    WHERE shard = $1 AND id = $2 AND account_id = $3 AND (done_at IS NULL OR canceled_at IS NOT NULL)`,
};

/** Nothing of the batch is sent until it is resumed. False for a batch that is done, canceled or not there. */
export function pauseBatch(database: Queryable, key: BatchKey): Promise<boolean> {
  return change(database, pauseStatement, key);
}

/** False for a batch that is canceled or not there. */
export function resumeBatch(database: Queryable, key: BatchKey): Promise<boolean> {
  return change(database, resumeStatement, key);
}

/**
 * What is not sent yet is canceled: one row is changed here, and the owners of the batch's shards write one
 * outcome for each of its chunks. False for a batch that is done or not there.
 */
export function cancelBatch(database: Queryable, key: BatchKey): Promise<boolean> {
  return change(database, cancelStatement, key);
}

async function change(database: Queryable, statement: Statement, key: BatchKey): Promise<boolean> {
  const { rowCount } = await database.query(statement, [shardOf(key.batch), key.batch, key.accountId]);
  return rowCount > 0;
}
