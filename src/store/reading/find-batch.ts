import { shardOf } from '../../message/id.ts';
import type { Queryable } from '../database.ts';
import {
  type BatchColumns,
  type BatchRow,
  batchColumns,
  batchRow,
  type SlotExtent,
  slotRunEnd,
} from './batch-row.ts';

/**
 * One batch of an account with its counters and the end of its unbroken run of slots, in one statement and
 * one snapshot, so that the counts agree with each other. A batch has at most 1,024 rows for each counter;
 * slots are read from the checkpoint on.
 */
const findBatchStatement = {
  name: 'find_batch',
  text: `
    WITH slot AS (
      SELECT first_line, first_line + lines AS ends,
             max(first_line + lines) OVER (
               ORDER BY first_line ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
             ) AS reached
        FROM batch_slot
       WHERE batch = $2 AND part = 0 AND first_line >= (SELECT next_line FROM batch WHERE shard = $1 AND id = $2)
    ), counter AS (
      SELECT state, sum(count) AS total FROM batch_progress WHERE batch = $2 GROUP BY state
    )
    SELECT ${batchColumns},
           (SELECT min(first_line) FROM slot) AS first_slot,
           (SELECT ${slotRunEnd} FROM slot) AS reached,
           (SELECT json_object_agg(state, total) FROM counter) AS progress
      FROM batch b
     WHERE b.shard = $1 AND b.id = $2 AND b.account_id = $3`,
};

type Row = BatchColumns & SlotExtent & { progress: Record<string, number> | null };

export async function findBatch(
  database: Queryable,
  key: { accountId: number; id: string },
): Promise<BatchRow | undefined> {
  const { rows } = await database.query<Row>(findBatchStatement, [shardOf(key.id), key.id, key.accountId]);
  const row = rows[0];
  return row && batchRow(row, { progress: row.progress, slots: row });
}
