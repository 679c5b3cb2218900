import type { Queryable } from '../database.ts';

/** The unfinished messages of a route with one priority. */
export interface BacklogRow {
  route: string;
  priority: number;
  messages: number;
  /** Of those, the ones of the batches that were named. */
  held: number;
  /** For how long the oldest of the others could have left; null when none could yet. */
  oldestMs: number | null;
}

const statement = {
  name: 'read_backlog',
  text: `SELECT coalesce(r.name, p.route_id::text) AS route, p.priority, p.messages, p.held,
      (extract(epoch FROM now() - p.oldest) * 1000)::float8 AS "oldestMs"
    FROM (
      SELECT route_id, priority, sum(left_over)::float8 AS messages,
        coalesce(sum(left_over) FILTER (WHERE is_held), 0)::float8 AS held,
        min(due_at) FILTER (WHERE due_at <= now() AND NOT is_held) AS oldest
      FROM (
        SELECT route_id, priority, due_at, coalesce(bit_count(remaining), count) AS left_over,
          coalesce(batch = ANY($1::uuid[]), false) AS is_held
        FROM pending
      ) AS unfinished
      GROUP BY route_id, priority
    ) AS p LEFT JOIN route r ON r.id = p.route_id`,
};

/** What waits, by route and priority. One row of `pending` is read for each chunk. */
export async function readBacklog(
  database: Queryable,
  heldBatches: readonly string[],
): Promise<BacklogRow[]> {
  return (await database.query<BacklogRow & Record<string, unknown>>(statement, [heldBatches])).rows;
}
