import type { Queryable } from '../database.ts';
import {
  type BatchColumns,
  type BatchRow,
  batchColumns,
  batchRow,
  type SlotExtent,
  slotRunEnd,
} from './batch-row.ts';
import { highestId } from './id-range.ts';

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

const listSlotsStatement = {
  name: 'list_batch_slots',
  text: `
    SELECT batch, min(first_line) AS first_slot, ${slotRunEnd} AS reached
      FROM (
        SELECT s.batch, s.first_line, s.first_line + s.lines AS ends,
               max(s.first_line + s.lines) OVER (
                 PARTITION BY s.batch ORDER BY s.first_line ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
               ) AS reached
          FROM unnest($1::uuid[], $2::bigint[]) AS key (batch, checkpoint)
          JOIN batch_slot s ON s.batch = key.batch AND s.first_line >= key.checkpoint
         WHERE s.part = 0 AND s.batch >= $3 AND s.batch <= $4
      ) AS slot
     GROUP BY batch`,
};

/**
 * Batches of an account, newest first. Counters are read of those that are not done: a batch that is done
 * carries its counts.
 */
export async function listBatches(
  database: Queryable,
  page: { accountId: number; before?: string | undefined; limit: number },
): Promise<BatchRow[]> {
  const values = [page.accountId, page.before ?? highestId, page.limit];
  const { rows } = await database.query<BatchColumns>(listBatchesStatement, values);
  const [progress, slots] = await Promise.all([
    readProgress(
      database,
      rows.filter((row) => !(row.done_at && row.counts)),
    ),
    readSlots(database, rows),
  ]);
  return rows.map((row) => batchRow(row, { progress: progress.get(row.id), slots: slots.get(row.id) }));
}

async function readProgress(
  database: Queryable,
  batches: BatchColumns[],
): Promise<Map<string, Record<string, number>>> {
  const progress = new Map<string, Record<string, number>>();
  if (batches.length === 0) return progress;
  const ids = batches.map(({ id }) => id);
  const { rows } = await database.query<{ batch: string; state: number; total: string }>(
    listProgressStatement,
    [ids, ids.at(-1), ids[0]],
  );
  for (const { batch, state, total } of rows) {
    progress.set(batch, { ...progress.get(batch), [state]: Number(total) });
  }
  return progress;
}

async function readSlots(database: Queryable, batches: BatchColumns[]): Promise<Map<string, SlotExtent>> {
  if (batches.length === 0) return new Map();
  const ids = batches.map(({ id }) => id);
  const checkpoints = batches.map(({ next_line }) => next_line);
  const { rows } = await database.query<{ batch: string } & SlotExtent>(listSlotsStatement, [
    ids,
    checkpoints,
    ids.at(-1),
    ids[0],
  ]);
  return new Map(rows.map((row) => [row.batch, row]));
}
