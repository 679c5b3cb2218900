import { type State, stateNumber, states } from '../../message/state.ts';
import type { Queryable } from '../database.ts';
import { withBatchEvent } from '../decisions/batch-event.ts';
import { acceptedCounter, rejectedCounter } from '../intake/store-slots.ts';

const readStatement = {
  name: 'read_finished_batches',
  // One statement, one snapshot. A batch that is closed and has no upload takes no more lines, so that its accepted
  // count stands.
  text: `SELECT batch.shard, batch.id, progress.states, progress.counts
    FROM batch, LATERAL (
      SELECT array_agg(state) AS states, array_agg(count) AS counts,
        coalesce(sum(count) FILTER (WHERE state = ${acceptedCounter}), 0) AS accepted,
        coalesce(sum(count) FILTER (WHERE state BETWEEN 3 AND 99), 0) AS final
      FROM (SELECT state, sum(count)::float8 AS count FROM batch_progress
        WHERE batch_progress.batch = batch.id GROUP BY state) AS by_state
    ) AS progress
    WHERE batch.done_at IS NULL AND batch.closed_at IS NOT NULL AND NOT batch.uploading
      AND batch.shard + 0 = ANY($1::int[])
      AND progress.final = progress.accepted
      AND NOT EXISTS (SELECT FROM inbox WHERE inbox.batch = batch.id)
    ORDER BY batch.id LIMIT $2`,
};

const finishStatement = {
  name: 'finish_batch',
  text: withBatchEvent(
    'UPDATE batch SET done_at = now(), counts = $3 WHERE shard = $1 AND id = $2 AND done_at IS NULL',
    4,
  ),
};

/** Folded counters of a batch: message states by name, `queued` being 0 by then. */
export type BatchCounts = Partial<Record<State | 'accepted' | 'rejected', number>>;

export interface FinishedBatch {
  shard: number;
  id: string;
  counts: BatchCounts;
}

/** Closed batches of some home shards, all of whose accepted messages are in a final state. */
export async function readFinishedBatches(
  database: Queryable,
  read: { shards: number[]; limit: number },
): Promise<FinishedBatch[]> {
  const { rows } = await database.query<{
    shard: number;
    id: string;
    states: number[] | null;
    counts: number[] | null;
  }>(readStatement, [read.shards, read.limit]);
  return rows.map(({ shard, id, states: numbers, counts }) => ({
    shard,
    id,
    counts: namedCounts(numbers, counts),
  }));
}

/** Marks a batch done; a second time changes nothing. */
export async function finishBatch(database: Queryable, batch: FinishedBatch): Promise<void> {
  await database.query(finishStatement, [batch.shard, batch.id, JSON.stringify(batch.counts)]);
}

function namedCounts(numbers: number[] | null, counts: number[] | null): BatchCounts {
  const named: BatchCounts = { accepted: 0, rejected: 0 };
  for (const state of states) named[state] = 0;
  numbers?.forEach((number, index) => {
    const count = counts?.[index] ?? 0;
    if (number === acceptedCounter) named.accepted = count;
    else if (number === rejectedCounter) named.rejected = count;
    else if (number !== stateNumber.queued && states[number]) named[states[number]] = count;
  });
  return named;
}
