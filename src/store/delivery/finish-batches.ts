import { shardOf } from '../../message/id.ts';
import { type BatchCounts, batchCounts } from '../batch-counts.ts';
import type { Queryable } from '../database.ts';
import { withBatchEvent } from '../decisions/batch-event.ts';
import { acceptedCounter } from '../intake/store-slots.ts';

/** A batch that is closed and has no upload takes no more lines, so that its accepted count stands. */
const closed = 'done_at IS NULL AND closed_at IS NOT NULL AND NOT uploading';

const listStatement = {
  name: 'list_closed_batches',
  text: `SELECT id FROM batch WHERE ${closed} AND shard + 0 = ANY($1::int[]) AND id > $2 ORDER BY id LIMIT $3`,
};

const closedStatement = {
  name: 'batch_is_closed_undone',
  text: `SELECT reopened FROM batch WHERE shard = $1 AND id = $2 AND ${closed}`,
};

// A chunk's messages are counted on its shard, accepted and final alike, so that one shard which is not through tells
// enough: of a batch under way this reads a few counters, not all of a thousand shards.
const openShardStatement = {
  name: 'find_open_shard',
  text: `SELECT FROM batch_progress AS accepted
    WHERE accepted.batch = $1 AND accepted.state = ${acceptedCounter}
      AND accepted.count > coalesce((
        SELECT sum(final.count) FROM batch_progress AS final
        WHERE final.shard = accepted.shard AND final.batch = accepted.batch AND final.state BETWEEN 3 AND 99), 0)
    LIMIT 1`,
};

const decisionStatement = {
  name: 'find_decision_of_batch',
  text: 'SELECT FROM inbox WHERE batch = $1 LIMIT 1',
};

const countStatement = {
  name: 'count_batch',
  text: 'SELECT state, sum(count)::float8 AS count FROM batch_progress WHERE batch = $1 GROUP BY state',
};

const finishStatement = {
  name: 'finish_batch',
  text: withBatchEvent({
    set: 'done_at = now(), counts = $3',
    where: 'done_at IS NULL AND reopened = $4',
  }),
};

export interface FinishedBatch {
  id: string;
  counts: BatchCounts;
  /** How often decisions had been asked for when it was counted. */
  reopened: number;
}

/** Closed batches of some home shards that are not marked done, in order of id, behind `after`. */
export async function listClosedBatches(
  database: Queryable,
  page: { shards: number[]; after: string; limit: number },
): Promise<string[]> {
  const values = [page.shards, page.after, page.limit];
  return (await database.query<{ id: string }>(listStatement, values)).rows.map(({ id }) => id);
}

/** A closed batch all of whose accepted messages are in a final state; undefined when it is not that far, or done. */
export async function readFinishedBatch(database: Queryable, id: string): Promise<FinishedBatch | undefined> {
  const found = await database.query<{ reopened: number }>(closedStatement, [shardOf(id), id]);
  const batch = found.rows[0];
  if (!batch || (await database.query(openShardStatement, [id])).rowCount > 0) return undefined;
  if ((await database.query(decisionStatement, [id])).rowCount > 0) return undefined;
  // Counted last, and by one statement: a decision that was carried out meanwhile shows in the counters.
  const { rows } = await database.query<{ state: number; count: number }>(countStatement, [id]);
  const counts = batchCounts(Object.fromEntries(rows.map(({ state, count }) => [state, count])));
  const unfinished = counts.queued + counts.sending + counts.retrying;
  return unfinished === 0 ? { id, counts, reopened: batch.reopened } : undefined;
}

/** Marks a batch done, unless it was reopened since it was counted; a second time changes nothing. */
export async function finishBatch(
  database: Queryable,
  { id, counts, reopened }: FinishedBatch,
): Promise<void> {
  await database.query(finishStatement, [shardOf(id), id, JSON.stringify(counts), reopened]);
}
