import type { Queryable } from '../database.ts';

/** The rejected lines of one slot: compressed NDJSON of {line, code, detail}. */
export interface StoredRejections {
  firstLine: number;
  codec: number;
  payload: Buffer;
}

const readRejectionsStatement = {
  name: 'read_rejections',
  text: `
    SELECT first_line, codec, payload FROM rejection
     WHERE batch = $1 AND first_line > $2 ORDER BY first_line LIMIT $3`,
};

/** Rejections of a batch in order of line, those of slots that begin after a line. */
export async function readRejections(
  database: Queryable,
  page: { batch: string; afterLine: number; limit: number },
): Promise<StoredRejections[]> {
  const { rows } = await database.query<{ first_line: string; codec: number; payload: Buffer }>(
    readRejectionsStatement,
    [page.batch, page.afterLine, page.limit],
  );
  return rows.map(({ first_line, codec, payload }) => ({ firstLine: Number(first_line), codec, payload }));
}
