import { lowestIdAt } from '../../message/id.ts';
import type { Queryable } from '../database.ts';

export interface OldPending {
  route: string;
  /** Null of a route that is deleted. */
  connector: string | null;
  paused: boolean;
  account: string;
  chunks: number;
}

const listedMax = 20;

const statement = {
  name: 'read_old_pending',
  text: `SELECT coalesce(r.name, p.route_id::text) AS route, r.connector, coalesce(r.paused, false) AS paused,
      coalesce(a.name, p.account_id::text) AS account, p.chunks
    FROM (
      SELECT route_id, account_id, count(*)::int AS chunks FROM pending WHERE chunk_id < $1
      GROUP BY route_id, account_id ORDER BY 3 DESC LIMIT ${listedMax}
    ) AS p LEFT JOIN route r ON r.id = p.route_id LEFT JOIN account a ON a.id = p.account_id
    ORDER BY p.chunks DESC`,
};

/** Whose unfinished chunks were accepted before a moment (Unix milliseconds): they keep their day's partitions. */
export async function readOldPending(database: Queryable, beforeMs: number): Promise<OldPending[]> {
  const values = [lowestIdAt(beforeMs)];
  return (await database.query<OldPending & Record<string, unknown>>(statement, values)).rows;
}
