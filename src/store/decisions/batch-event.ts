/** States of batches as the change feed names them, by number in the database: never renumber, only append. */
export const batchEventStates = { 1: 'delivering', 2: 'paused', 3: 'canceled', 4: 'done' } as const;

/**
 * `change`, an UPDATE of `batch`, together with the event of its new state. Both lie on the batch's shard. The event is
 * written only when a row was changed.
 */
export function withBatchEvent(change: string, state: keyof typeof batchEventStates): string {
  return `WITH changed AS (${change} RETURNING shard, id, account_id)
    INSERT INTO batch_event (shard, batch, account_id, state)
    SELECT shard, id, account_id, ${state} FROM changed`;
}
