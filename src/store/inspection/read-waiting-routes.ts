import type { SendWindow } from '../../message/send-window/send-window.ts';
import type { Queryable } from '../database.ts';

export interface WaitingRoute {
  id: number;
  name: string;
  /** Null of a route that is deleted. */
  connector: string | null;
  paused: boolean;
  /** Null for none; and what time it is by the clock of the database. */
  sendWindow: SendWindow | null;
  now: Date;
  /** Messages without a final state. */
  messages: number;
  /** Of them, those whose time has come, and since when the oldest waits. */
  due: number;
  oldestDueAt: Date | null;
}

const statement = {
  name: 'read_waiting_routes',
  text: `SELECT p.route_id AS id, coalesce(r.name, p.route_id::text) AS name, r.connector, coalesce(r.paused, false) AS paused,
      r.send_window AS "sendWindow", now() AS now,
      p.messages, p.due, p.oldest AS "oldestDueAt"
    FROM (
      SELECT route_id, sum(left_over)::float8 AS messages, min(due_at) FILTER (WHERE due_at <= now()) AS oldest,
        coalesce(sum(left_over) FILTER (WHERE due_at <= now()), 0)::float8 AS due
      FROM (SELECT route_id, due_at, coalesce(bit_count(remaining), count) AS left_over FROM pending) AS unfinished
      GROUP BY route_id
    ) AS p LEFT JOIN route r ON r.id = p.route_id
    ORDER BY p.messages DESC`,
};

/** Routes with unfinished messages. One row of `pending` is read for each chunk. */
export async function readWaitingRoutes(database: Queryable): Promise<WaitingRoute[]> {
  return (await database.query<WaitingRoute & Record<string, unknown>>(statement)).rows;
}
