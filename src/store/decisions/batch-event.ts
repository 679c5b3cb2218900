/** States of batches as the change feed names them, by number in the database: never renumber, only append. */
export const batchEventStates = {
  1: 'delivering',
  2: 'paused',
  3: 'canceled',
  4: 'done',
  5: 'open',
} as const;

/** The state of a row of `batch`: `batchState` in SQL. */
const state = `CASE WHEN canceled_at IS NOT NULL THEN 3 WHEN done_at IS NOT NULL THEN 4
  WHEN paused_at IS NOT NULL THEN 2 WHEN closed_at IS NOT NULL THEN 1 ELSE 5 END`;

/**
 * An UPDATE of the batch `$2` on shard `$1`, together with the event of its new state; the answer is `answer` of the row
 * that was changed, or none. Both lie on the batch's shard. The event is written only when the state is another than
 * before: the row is locked before it is read, so that of two changes at once the second sees what the first has made.
 */
export function withBatchEvent({
  set,
  where,
  answer = [],
}: {
  set: string;
  where: string;
  /** Columns of `batch`. */
  answer?: readonly string[];
}): string {
  // Programs that know no migration 16 read `state` alone, and have no name for 5.
  return `WITH before AS (
      SELECT ${state} AS state_before FROM batch WHERE shard = $1 AND id = $2 FOR NO KEY UPDATE
    ), changed AS (
      UPDATE batch SET ${set} FROM before WHERE shard = $1 AND id = $2 AND ${where}
      RETURNING ${['shard', 'id', 'account_id', ...answer].join(', ')}, state_before, ${state} AS state
    ), event AS (
      INSERT INTO batch_event (shard, batch, account_id, state, told)
      SELECT shard, id, account_id, CASE state WHEN 5 THEN 1 ELSE state END, CASE state WHEN 5 THEN 5 END
      FROM changed WHERE state <> state_before
    )
    SELECT ${answer.join(', ')} FROM changed`;
}
