import type { SendWindow } from '../../message/send-window/send-window.ts';
import type { Queryable } from '../database.ts';

const statement = {
  name: 'read_windowed_batches',
  text: `SELECT clock.now, b.id, b.defaults->'sendWindow' AS "sendWindow"
    FROM (SELECT now()) AS clock LEFT JOIN batch b ON b.done_at IS NULL AND b.defaults ? 'sendWindow'`,
};

/** The unfinished batches that may be sent within a window alone, and what time it is in the database. */
export async function readWindowedBatches(
  database: Queryable,
): Promise<{ now: Date; batches: { id: string; sendWindow: SendWindow }[] }> {
  const { rows } = await database.query<{ now: Date; id: string | null; sendWindow: SendWindow }>(statement);
  const batches = rows.flatMap(({ id, sendWindow }) => (id === null ? [] : [{ id, sendWindow }]));
  return { now: rows[0]!.now, batches };
}
