import { shardOf } from '../../message/id.ts';
import type { Queryable } from '../database.ts';

/**
 * Closes a batch; closing it again changes nothing. It also ends an upload that still runs elsewhere.
 * Answers false when the account has no such batch.
 */
export async function closeBatch(
  database: Queryable,
  { batch, accountId }: { batch: string; accountId: number },
): Promise<boolean> {
  const { rows } = await database.query<{ start_on: string; released: boolean }>(
    {
      name: 'close_batch',
      text: `UPDATE batch SET closed_at = coalesce(closed_at, now())
        WHERE shard = $1 AND id = $2 AND account_id = $3
        RETURNING start_on, released_at IS NOT NULL AS released`,
    },
    [shardOf(batch), batch, accountId],
  );
  const row = rows[0];
  if (!row) return false;
  if (row.start_on === 'close' && !row.released) await releaseBatch(database, batch);
  return true;
}

/** Lets the deliveries of a batch begin that was to start at its closing. Repeating it changes nothing. */
export async function releaseBatch(database: Queryable, batch: string): Promise<void> {
  await database.query(
    {
      name: 'release_pending',
      text: `UPDATE pending SET due_at = now() WHERE batch = $1 AND due_at = 'infinity'`,
    },
    [batch],
  );
  await database.query(
    {
      name: 'mark_released',
      text: 'UPDATE batch SET released_at = coalesce(released_at, now()) WHERE shard = $1 AND id = $2',
    },
    [shardOf(batch), batch],
  );
}

/** Batches that were closed but whose release was cut off by a crash. */
export async function listUnreleased(database: Queryable): Promise<string[]> {
  const { rows } = await database.query<{ id: string }>({
    name: 'list_unreleased',
    text: `SELECT id FROM batch
      WHERE done_at IS NULL AND start_on = 'close' AND closed_at IS NOT NULL AND released_at IS NULL`,
  });
  return rows.map(({ id }) => id);
}
