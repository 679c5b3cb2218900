import { shardOf } from '../../message/id.ts';
import { batchCounts } from '../batch-counts.ts';
import type { Database, Queryable } from '../database.ts';

/** A batch whose counters on a shard were changed by receipts, so many times. */
export interface RecountMark {
  batch: string;
  shard: number;
  changes: number;
}

const marksStatement = {
  name: 'read_recount_marks',
  text: `SELECT batch, shard, changes FROM batch_recount WHERE batch IN (
      SELECT DISTINCT batch FROM batch_recount WHERE shard = ANY($1::smallint[]) AND batch > $2 ORDER BY batch LIMIT $3
    ) AND shard = ANY($1::smallint[]) ORDER BY batch`,
};

/** The marks that some shards have of the next batches behind `after`. */
export async function readRecountMarks(
  database: Queryable,
  page: { shards: number[]; after: string; limit: number },
): Promise<RecountMark[]> {
  const values = [page.shards, page.after, page.limit];
  return (await database.query<RecountMark & Record<string, unknown>>(marksStatement, values)).rows;
}

const lockStatement = {
  name: 'lock_batch_to_recount',
  text: 'SELECT done_at IS NOT NULL AS done FROM batch WHERE shard = $1 AND id = $2 FOR NO KEY UPDATE',
};

// A batch that is reopened forgets its counts, and counts anew when it is done again.
const countStatement = {
  name: 'count_done_batch',
  text: 'SELECT state, sum(count)::float8 AS count FROM batch_progress WHERE batch = $1 GROUP BY state',
};

const updateStatement = {
  name: 'recount_batch',
  text: 'UPDATE batch SET counts = $3 WHERE shard = $1 AND id = $2 AND done_at IS NOT NULL',
};

const forgetStatement = {
  name: 'forget_recount_marks',
  text: `DELETE FROM batch_recount USING unnest($2::smallint[], $3::int[]) AS mark (shard, changes)
    WHERE batch_recount.batch = $1 AND batch_recount.shard = mark.shard AND batch_recount.changes = mark.changes`,
};

/**
 * Lets the counts of a batch that is done follow its counters, and forgets the marks that say so. Of one that is not, the
 * marks stay until it is: whoever finishes it may have counted already. Several at once count one after another, each all
 * that was committed before.
 */
export async function recountBatch(
  database: Database,
  { batch, marks }: { batch: string; marks: readonly RecountMark[] },
): Promise<void> {
  const key = [shardOf(batch), batch];
  await database.transaction(async (transaction) => {
    const { rows } = await transaction.query<{ done: boolean }>(lockStatement, key);
    if (rows[0]?.done === false) return;
    if (rows[0] !== undefined) {
      const counted = await transaction.query<{ state: number; count: number }>(countStatement, [batch]);
      const counts = batchCounts(Object.fromEntries(counted.rows.map(({ state, count }) => [state, count])));
      await transaction.query(updateStatement, [...key, JSON.stringify(counts)]);
    }
    const shards = marks.map(({ shard }) => shard);
    await transaction.query(forgetStatement, [batch, shards, marks.map(({ changes }) => changes)]);
  });
}
