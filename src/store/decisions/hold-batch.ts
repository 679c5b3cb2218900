import { shardOf } from '../../message/id.ts';
import type { Queryable, Statement } from '../database.ts';
import { withBatchEvent } from './batch-event.ts';

export interface BatchKey {
  batch: string;
  accountId: number;
}

const pauseStatement = {
  name: 'pause_batch',
  text: withBatchEvent({
    set: 'paused_at = now()',
    where: 'account_id = $3 AND done_at IS NULL AND canceled_at IS NULL AND paused_at IS NULL',
  }),
};

const resumeStatement = {
  name: 'resume_batch',
  text: withBatchEvent({ set: 'paused_at = NULL', where: 'account_id = $3 AND paused_at IS NOT NULL' }),
};

const cancelStatement = {
  name: 'cancel_batch',
  text: withBatchEvent({
    set: 'canceled_at = now(), paused_at = NULL',
    where: 'account_id = $3 AND done_at IS NULL AND canceled_at IS NULL',
  }),
};

const stateStatement = {
  name: 'held_state',
  text: `SELECT done_at IS NOT NULL AS done, canceled_at IS NOT NULL AS canceled FROM batch
    WHERE shard = $1 AND id = $2 AND account_id = $3`,
};

/** Nothing of the batch is sent until it is resumed. False for a batch that is done, canceled or not there. */
export async function pauseBatch(database: Queryable, key: BatchKey): Promise<boolean> {
  if (await change(database, pauseStatement, key)) return true;
  const state = await stateOf(database, key);
  return state !== undefined && !state.done && !state.canceled;
}

/** False for a batch that is canceled or not there. */
export async function resumeBatch(database: Queryable, key: BatchKey): Promise<boolean> {
  if (await change(database, resumeStatement, key)) return true;
  const state = await stateOf(database, key);
  return state !== undefined && !state.canceled;
}

/**
 * What is not sent yet is canceled: one row is changed here, and the owners of the batch's shards write one
 * outcome for each of its chunks. False for a batch that is done or not there.
 */
export async function cancelBatch(database: Queryable, key: BatchKey): Promise<boolean> {
  if (await change(database, cancelStatement, key)) return true;
  return (await stateOf(database, key))?.canceled ?? false;
}

async function change(database: Queryable, statement: Statement, key: BatchKey): Promise<boolean> {
  const { rowCount } = await database.query(statement, [shardOf(key.batch), key.batch, key.accountId]);
  return rowCount > 0;
}

async function stateOf(
  database: Queryable,
  key: BatchKey,
): Promise<{ done: boolean; canceled: boolean } | undefined> {
  const values = [shardOf(key.batch), key.batch, key.accountId];
  return (await database.query<{ done: boolean; canceled: boolean }>(stateStatement, values)).rows[0];
}
