import type { Queryable } from '../database.ts';
import { type BatchColumns, type BatchRow, batchColumns, batchRow } from './batch-row.ts';
import { highestId } from './id-range.ts';

/**
 * Batches of an account, newest first. Counters are read of those that are not done only: a batch that is
 * done carries its counts.
 */
const listBatchesStatement = {
  name: 'list_batches',
  text: `
    SELECT ${batchColumns} FROM batch b
     WHERE b.account_id = $1 AND b.id < $2
     ORDER BY b.id DESC LIMIT $3`,
};

const listProgressStatement = {
  name: 'list_batch_progress',
  text: `
    SELECT batch, state, sum(count) AS total FROM batch_progress
     WHERE batch = ANY ($1) AND batch >= $2 AND batch <= $3
     GROUP BY batch, state`,
};

export async function listBatches(
  database: Queryable,
  page: { accountId: number; before?: string; limit: number },
): Promise<BatchRow[]> {
  const values = [page.accountId, page.before ?? highestId, page.limit];
  const { rows } = await database.query<BatchColumns>(listBatchesStatement, values);
  const undone = rows.filter((row) => !(row.done_at && row.counts)).map(({ id }) => id);
  const progress = await readProgress(database, undone);
  return rows.map((row) => batchRow(row, progress.get(row.id) ?? null));
}

async function readProgress(
  database: Queryable,
  ids: string[],
): Promise<Map<string, Record<string, number>>> {
  const progress = new Map<string, Record<string, number>>();
  if (ids.length === 0) return progress;
  // Ids came newest first.
  const { rows } = await database.query<{ batch: string; state: number; total: string }>(
    listProgressStatement,
    [ids, ids.at(-1), ids[0]],
  );
  for (const { batch, state, total } of rows) {
    progress.set(batch, { ...progress.get(batch), [state]: Number(total) });
  }
  return progress;
}
