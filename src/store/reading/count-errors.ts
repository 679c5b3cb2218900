import type { Bitmap } from '../../message/bitmap.ts';
import type { StateNumber } from '../../message/state.ts';
import type { Queryable } from '../database.ts';

/** Outcomes of one error and state, and one of them for an example. */
export interface ErrorRow {
  code: string;
  state: StateNumber;
  /** Messages, each as often as it came to it. */
  messages: number;
  lastAt: Date;
  chunkId: string;
  offsets: Bitmap | null;
  details: (string | null)[] | null;
}

const statement = {
  name: 'count_errors',
  // The condition on 3 and 4 is that of the partial index.
  text: `WITH counted AS (
      SELECT error_code, state, sum(count)::float8 AS messages, max(at) AS last_at FROM outcome
        WHERE batch = $1 AND state NOT IN (3, 4) AND error_code IS NOT NULL
        GROUP BY error_code, state ORDER BY messages DESC, error_code LIMIT $2
    )
    SELECT c.error_code AS code, c.state, c.messages, c.last_at AS "lastAt",
        e.chunk_id AS "chunkId", e.offsets, e.details
      FROM counted c CROSS JOIN LATERAL (
        SELECT chunk_id, offsets, details FROM outcome o
          WHERE o.batch = $1 AND o.state NOT IN (3, 4) AND o.state = c.state AND o.error_code = c.error_code LIMIT 1
      ) e ORDER BY c.messages DESC, c.error_code`,
};

/** What attempts of a batch met, the most frequent first. */
export async function countErrors(
  database: Queryable,
  { batch, limit }: { batch: string; limit: number },
): Promise<ErrorRow[]> {
  return (await database.query<ErrorRow & Record<string, unknown>>(statement, [batch, limit])).rows;
}
