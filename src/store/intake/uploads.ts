import { shardOf } from '../../message/id.ts';
import type { Queryable } from '../database.ts';

/** Lines `firstLine` to `firstLine + lines - 1` of a batch. */
export interface Extent {
  firstLine: number;
  lines: number;
}

export interface BegunUpload {
  /** Rises with each upload to the batch; fences the older ones. */
  upload: number;
  routeId: number;
  priority: number;
  /** A test key has made the batch. */
  test: boolean;
  /** Its messages were charged for when it was made. */
  isPaid: boolean;
  startOn: 'now' | 'close';
  /** What the batch sets for lines that do not name times, an ordering key or a body of their own. */
  scheduledAt: Date | undefined;
  expiresAt: Date | undefined;
  orderingKey: string | undefined;
  /** The batch's template and parameters, for lines without their own. */
  template: { name: string; pin: number } | undefined;
  params: Record<string, unknown> | undefined;
  body: string | undefined;
  tags: readonly string[] | undefined;
  /** The first line that is not durable. */
  nextLine: number;
  /** Durable extents behind `nextLine`, in order: left by an upload that broke with commits under way. */
  durable: Extent[];
}

export type BeginResult =
  | { kind: 'begun'; upload: BegunUpload }
  | { kind: 'closed' }
  /** The batch is of the other kind of key: `test` was said otherwise. */
  | { kind: 'of_test_key' | 'of_another_key' }
  /** The batch is filled by another request, alone. */
  | { kind: 'atomic' }
  | { kind: 'missing' }
  /** The batch had another upload since the one that the caller goes on with. */
  | { kind: 'superseded' };

/**
 * Starts an upload and ends every older one: their commits find a higher number. `after` makes it go on
 * with that upload only, for a keyed upload sent again, or with one that `key` itself began since: a try may die
 * before it has noted its number anywhere else.
 */
export async function beginUpload(
  database: Queryable,
  upload: {
    batch: string;
    accountId: number;
    test: boolean;
    atomic: boolean;
    key?: bigint;
    after?: number;
  },
): Promise<BeginResult> {
  const { batch, accountId, test, atomic, key, after } = upload;
  const { rows } = await database.query<{
    upload: number;
    route_id: number;
    priority: number;
    start_on: 'now' | 'close';
    scheduled_at: Date | null;
    expires_at: Date | null;
    ordering_key: string | null;
    template: string | null;
    template_pin: number | null;
    params: Record<string, unknown> | null;
    body: string | null;
    tags: string[] | null;
    next_line: string;
  }>(
    {
      name: 'begin_upload',
      text: `UPDATE batch
        SET upload = upload + 1, upload_key = $5, unsettled = unsettled OR uploading, uploading = true
        WHERE shard = $1 AND id = $2 AND account_id = $3 AND closed_at IS NULL
          AND ($4::integer IS NULL OR upload = $4 OR upload_key = $5)
          AND (defaults ? 'test') = $6 AND (defaults ? 'atomic') = $7
        RETURNING upload, route_id, priority, start_on, next_line,
          (defaults->>'scheduledAt')::timestamptz AS scheduled_at,
          (defaults->>'expiresAt')::timestamptz AS expires_at,
          defaults->>'orderingKey' AS ordering_key, defaults->>'template' AS template,
          (defaults->>'templatePin')::integer AS template_pin, defaults->'params' AS params,
          defaults->>'body' AS body, defaults->'tags' AS tags`,
    },
    [shardOf(batch), batch, accountId, after ?? null, key ?? null, test, atomic],
  );
  const row = rows[0];
  if (!row) return await whyNot(database, upload);
  const { nextLine, durable } = await readDurable(database, batch, Number(row.next_line));
  return {
    kind: 'begun',
    upload: {
      upload: row.upload,
      routeId: row.route_id,
      priority: row.priority,
      test,
      isPaid: atomic,
      startOn: row.start_on,
      scheduledAt: row.scheduled_at ?? undefined,
      expiresAt: row.expires_at ?? undefined,
      orderingKey: row.ordering_key ?? undefined,
      template:
        row.template === null ? undefined : { name: row.template, pin: row.template_pin ?? Number.NaN },
      params: row.params ?? undefined,
      body: row.body ?? undefined,
      tags: row.tags ?? undefined,
      nextLine,
      durable,
    },
  };
}

/** Of a batch of the account; undefined when it has none of this id. */
export async function readPriority(
  database: Queryable,
  { batch, accountId }: { batch: string; accountId: number },
): Promise<number | undefined> {
  const { rows } = await database.query<{ priority: number }>(
    {
      name: 'batch_priority',
      text: 'SELECT priority FROM batch WHERE shard = $1 AND id = $2 AND account_id = $3',
    },
    [shardOf(batch), batch, accountId],
  );
  return rows[0]?.priority;
}

/** Where the unbroken run of durable slots ends, reading on from a checkpoint, and what lies behind it. */
export async function readDurable(
  database: Queryable,
  batch: string,
  checkpoint: number,
): Promise<{ nextLine: number; durable: Extent[] }> {
  const { rows } = await database.query<{ first_line: string; lines: number }>(
    {
      name: 'read_durable',
      text: `SELECT first_line, lines FROM batch_slot
        WHERE batch = $1 AND first_line >= $2 AND part = 0 ORDER BY first_line`,
    },
    [batch, checkpoint],
  );
  let nextLine = checkpoint;
  const durable: Extent[] = [];
  for (const row of rows) {
    const firstLine = Number(row.first_line);
    if (firstLine <= nextLine) nextLine = Math.max(nextLine, firstLine + row.lines);
    else durable.push({ firstLine, lines: row.lines });
  }
  return { nextLine, durable };
}

/**
 * Moves the checkpoint on and tells whether this upload is still the newest of an open batch.
 * `ended` also marks the batch as having no upload under way: all that this one stored was answered for. It cannot
 * speak for an older one that had not ended.
 */
export async function checkpointUpload(
  database: Queryable,
  { batch, upload, nextLine, ended }: { batch: string; upload: number; nextLine: number; ended: boolean },
): Promise<boolean> {
  const { rowCount } = await database.query(
    {
      name: 'checkpoint_upload',
      text: `UPDATE batch SET next_line = greatest(next_line, $4), uploading = unsettled OR NOT $5::boolean
        WHERE shard = $1 AND id = $2 AND upload = $3 AND closed_at IS NULL`,
    },
    [shardOf(batch), batch, upload, nextLine, ended],
  );
  return rowCount === 1;
}

async function whyNot(
  database: Queryable,
  { batch, accountId, test, atomic }: { batch: string; accountId: number; test: boolean; atomic: boolean },
): Promise<BeginResult> {
  const { rows } = await database.query<{ closed: boolean; test: boolean; atomic: boolean }>(
    {
      name: 'batch_is_closed',
      text: `SELECT closed_at IS NOT NULL AS closed, defaults ? 'test' AS test, defaults ? 'atomic' AS atomic
        FROM batch
        WHERE shard = $1 AND id = $2 AND account_id = $3`,
    },
    [shardOf(batch), batch, accountId],
  );
  if (!rows[0]) return { kind: 'missing' };
  if (rows[0].test !== test) return { kind: rows[0].test ? 'of_test_key' : 'of_another_key' };
  if (rows[0].atomic !== atomic && !rows[0].closed) return { kind: 'atomic' };
  return rows[0].closed ? { kind: 'closed' } : { kind: 'superseded' };
}
