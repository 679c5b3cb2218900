import type { Queryable } from '../database.ts';

export interface ReceiptsBacklog {
  /** Receipts that nobody has looked at, though their time came so long ago. */
  unmatched: number;
  oldestMs: number;
  /** Receipts that wait for a message which they name by the provider's id. */
  waiting: number;
}

const backlogStatement = {
  name: 'read_receipts_backlog',
  text: `SELECT coalesce(sum(count) FILTER (WHERE due_at < now() - $1::float8 * interval '1 millisecond'), 0)::float8
        AS unmatched,
      coalesce(extract(epoch FROM now() - min(due_at)) * 1000, 0)::float8 AS "oldestMs",
      coalesce(sum(count) FILTER (WHERE tries > 0), 0)::float8 AS waiting
    FROM receipt`,
};

export async function readReceiptsBacklog(
  database: Queryable,
  { overdueMs }: { overdueMs: number },
): Promise<ReceiptsBacklog> {
  const { rows } = await database.query<ReceiptsBacklog & Record<string, unknown>>(backlogStatement, [
    overdueMs,
  ]);
  return rows[0]!;
}

export interface UnknownReceipts {
  route: string;
  receipts: number;
}

const unknownStatement = {
  name: 'read_unknown_receipts',
  text: `SELECT coalesce(r.name, u.route_id::text) AS route, sum(u.count)::float8 AS receipts
    FROM unknown_receipt u LEFT JOIN route r ON r.id = u.route_id
    WHERE u.at > now() - interval '1 day' GROUP BY 1 ORDER BY 2 DESC LIMIT 20`,
};

/** Those of the last day that no message was found for, by route. */
export async function readUnknownReceipts(database: Queryable): Promise<UnknownReceipts[]> {
  return (await database.query<UnknownReceipts & Record<string, unknown>>(unknownStatement)).rows;
}
