import { messageIdAt, shardOf } from '../../message/id.ts';
import { limits } from '../../message/limits.ts';
import type { Queryable } from '../database.ts';
import { withBatchEvent } from '../decisions/batch-event.ts';
import { listChunkKeys } from '../reading/list-chunk-keys.ts';

/**
 * Closes a batch; closing it again changes nothing, and finishes a closing that was cut off. It also ends an upload
 * that still runs elsewhere: when this resolves, no line can be added any more.
 * Answers whether its deliveries begin only now, or null when the account has no such batch.
 */
export async function closeBatch(
  database: Queryable,
  { batch, accountId }: { batch: string; accountId: number },
): Promise<{ released: boolean } | null> {
  const { rows } = await database.query<{
    start_on: string;
    released_at: Date | null;
    uploading: boolean;
    upload: number;
  }>(
    {
      name: 'close_batch',
      text: withBatchEvent({
        set: 'closed_at = coalesce(closed_at, now()), upload = upload + uploading::integer',
        where: 'account_id = $3',
        answer: ['start_on', 'released_at', 'uploading', 'upload'],
      }),
    },
    [shardOf(batch), batch, accountId],
  );
  const row = rows[0];
  if (!row) return null;
  if (row.uploading) await endUploads(database, { batch, upload: row.upload });
  const released = row.start_on === 'close' && row.released_at === null;
  if (released) await releaseBatch(database, batch);
  return { released };
}

/**
 * An upload that did not end before its batch was closed runs in another process, or died with commits under way.
 * The fence is raised on every shard, because its next slot may go to any of them: this waits for what is being
 * committed there, and refuses what comes later. Otherwise lines could be added to a batch that was released and
 * called done, and be counted or delivered never.
 */
async function endUploads(
  database: Queryable,
  { batch, upload }: { batch: string; upload: number },
): Promise<void> {
  await database.query(
    {
      name: 'fence_closed_batch',
      text: `INSERT INTO batch_fence (shard, batch, upload)
        SELECT shard::smallint, $1::uuid, $2::integer FROM generate_series(0, $3::integer) AS shard
        ON CONFLICT (shard, batch) DO UPDATE SET upload = greatest(batch_fence.upload, excluded.upload)`,
    },
    [batch, upload, limits.shards - 1],
  );
  await database.query(
    {
      name: 'mark_uploads_ended',
      text: `UPDATE batch SET uploading = false, unsettled = false
        WHERE shard = $1 AND id = $2 AND upload = $3`,
    },
    [shardOf(batch), batch, upload],
  );
}

/** Chunks released by one statement. */
const releasedAtOnce = 1_000;

/**
 * Lets the deliveries of a batch begin that was to start at its closing. Repeating it changes nothing. The hot table has
 * no index by batch: its rows are found by the batch's own chunks, so that a backlog of others costs nothing.
 */
async function releaseBatch(database: Queryable, batch: string): Promise<void> {
  for (let from: string | undefined; ; ) {
    const chunks = await listChunkKeys(database, { batch, from, limit: releasedAtOnce });
    await database.query(
      {
        name: 'release_pending',
        // The bounds keep a plan that reads the table in order to the time of these chunks.
        text: `UPDATE pending SET due_at = now()
          WHERE chunk_id = ANY($1::uuid[]) AND chunk_id BETWEEN $2 AND $3 AND due_at = 'infinity'`,
      },
      [chunks.map(({ id }) => id), chunks.at(0)?.id, chunks.at(-1)?.id],
    );
    if (chunks.length < releasedAtOnce) break;
    from = messageIdAt(chunks.at(-1)!.id, 1);
  }
  await database.query(
    {
      name: 'mark_released',
      text: 'UPDATE batch SET released_at = coalesce(released_at, now()) WHERE shard = $1 AND id = $2',
    },
    [shardOf(batch), batch],
  );
}

/** Batches that were closed but whose closing was cut off by a crash: closing them again finishes it. */
export async function listHalfClosed(database: Queryable): Promise<{ batch: string; accountId: number }[]> {
  const { rows } = await database.query<{ id: string; account_id: number }>({
    name: 'list_half_closed',
    text: `SELECT id, account_id FROM batch
      WHERE done_at IS NULL AND closed_at IS NOT NULL
        AND (uploading OR (start_on = 'close' AND released_at IS NULL))`,
  });
  return rows.map(({ id, account_id }) => ({ batch: id, accountId: account_id }));
}
