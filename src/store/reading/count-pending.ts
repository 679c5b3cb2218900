import type { Queryable } from '../database.ts';

export interface PendingLane {
  accountId: number;
  routeId: number;
  priority: number;
  messages: number;
  /** Of those, the ones of the batches that were named. */
  held: number;
  /** Null when nothing is due yet. */
  oldestDueAt: Date | null;
}

const statement = {
  name: 'count_pending',
  text: `SELECT account_id AS "accountId", route_id AS "routeId", priority,
      sum(coalesce(bit_count(remaining), count))::float8 AS messages,
      coalesce(sum(coalesce(bit_count(remaining), count)) FILTER (WHERE batch = ANY($1::uuid[])), 0)::float8 AS held,
      min(due_at) FILTER (WHERE due_at <= now()) AS "oldestDueAt"
    FROM pending GROUP BY account_id, route_id, priority`,
};

/** Unfinished messages by lane, and how many are of `heldBatches`. One row of `pending` is read for each chunk. */
export async function countPending(
  database: Queryable,
  heldBatches: readonly string[],
): Promise<PendingLane[]> {
  return (await database.query<PendingLane & Record<string, unknown>>(statement, [heldBatches])).rows;
}
