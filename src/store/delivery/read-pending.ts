import { messageIdAt } from '../../message/id.ts';
import type { Queryable } from '../database.ts';
import { listChunkKeys } from '../reading/list-chunk-keys.ts';

/** The key of an unfinished chunk. */
export interface PendingRow {
  chunkId: string;
  shard: number;
  accountId: number;
  routeId: number;
  priority: number;
  count: number;
  batch: string | null;
  /** Offsets still to do, null for all. */
  remaining: Uint8Array | null;
  /** From now, by the database's clock; negative when overdue, Infinity when it waits to be released. */
  dueInMs: number;
  /** Its place in the order of its shard; null for a chunk of messages without ordering keys. */
  ordered: number | null;
  /** The fingerprint of the window that put it off, null for none: when the route has another one, it is due. */
  putOffBy: number | null;
}

/** An unfinished chunk of messages with ordering keys. */
export interface OrderedRow extends PendingRow {
  ordered: number;
  /** The 32-bit hashes of its messages' keys, four bytes each, little end first. */
  ordering: Uint8Array;
}

const columns = `chunk_id AS "chunkId", shard, account_id AS "accountId", route_id AS "routeId", priority, count,
  batch, remaining, ((extract(epoch FROM due_at) - extract(epoch FROM now())) * 1000)::float8 AS "dueInMs",
  ordered::float8 AS ordered, put_off_by AS "putOffBy"`;

const recentStatement = {
  name: 'read_recent_pending',
  // The lowest id of a moment, made here so that only the database's clock counts.
  text: `SELECT ${columns} FROM pending
    WHERE shard = ANY($1::smallint[])
      AND chunk_id >= (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - $2::bigint), 12, '0')
        || '00000000000000000000')::uuid
    ORDER BY chunk_id, shard LIMIT $3`,
};

const afterStatement = {
  name: 'read_pending_after',
  text: `SELECT ${columns} FROM pending
    WHERE shard = ANY($1::smallint[]) AND (chunk_id, shard) > ($2::uuid, $3::smallint)
    ORDER BY chunk_id, shard LIMIT $4`,
};

const laneStatement = {
  name: 'read_pending_of_lane',
  text: `SELECT ${columns} FROM pending
    WHERE shard = ANY($1::smallint[]) AND account_id = $2 AND route_id = $3 AND priority = $4
      AND (chunk_id, shard) > ($5::uuid, $6::smallint)
    ORDER BY chunk_id, shard LIMIT $7`,
};

const chosenStatement = {
  name: 'read_chosen_pending',
  // The bounds keep a plan that reads the table in order to the time of these chunks.
  text: `SELECT ${columns} FROM pending
    WHERE chunk_id = ANY($1::uuid[]) AND chunk_id BETWEEN $2 AND $3 AND shard = ANY($4::smallint[])
    ORDER BY chunk_id, shard`,
};

const orderedStatement = {
  name: 'read_ordered_pending',
  text: `SELECT ${columns}, ordering FROM pending
    WHERE shard = $1 AND account_id = $2 AND ordered > $3
    ORDER BY ordered LIMIT $4`,
};

export interface PendingKey {
  chunkId: string;
  shard: number;
}

/** Keys whose ids are at most `ageMs` old. */
export async function readRecentPending(
  database: Queryable,
  read: { shards: number[]; ageMs: number; limit: number },
): Promise<PendingRow[]> {
  const { shards, ageMs, limit } = read;
  return (await database.query<PendingRow & Record<string, unknown>>(recentStatement, [shards, ageMs, limit]))
    .rows;
}

/** A page of all keys, in order of (chunk id, shard). */
export async function readPendingAfter(
  database: Queryable,
  read: { shards: number[]; after: PendingKey; limit: number },
): Promise<PendingRow[]> {
  const values = [read.shards, read.after.chunkId, read.after.shard, read.limit];
  return (await database.query<PendingRow & Record<string, unknown>>(afterStatement, values)).rows;
}

/** A page of one lane's keys. There is no index for it: the rows of other lanes are read and passed over. */
export async function readPendingOfLane(
  database: Queryable,
  read: {
    shards: number[];
    lane: { accountId: number; routeId: number; priority: number };
    after: PendingKey;
    limit: number;
  },
): Promise<PendingRow[]> {
  const { shards, lane, after, limit } = read;
  const values = [shards, lane.accountId, lane.routeId, lane.priority, after.chunkId, after.shard, limit];
  return (await database.query<PendingRow & Record<string, unknown>>(laneStatement, values)).rows;
}

/**
 * Of the next `limit` chunks of a batch behind `after`, those that are unfinished; `next` is undefined when there are no more.
 * They are found by the batch's own chunks, as `pending` has no index by batch: a backlog of others costs nothing.
 */
export async function readPendingOfBatch(
  database: Queryable,
  read: { shards: number[]; batch: string; after: string | undefined; limit: number },
): Promise<{ rows: PendingRow[]; next: string | undefined }> {
  const { shards, batch, after, limit } = read;
  const from = after === undefined ? undefined : messageIdAt(after, 1);
  const ids = (await listChunkKeys(database, { batch, from, limit })).map(({ id }) => id);
  const last = ids.at(-1);
  if (last === undefined) return { rows: [], next: undefined };
  const values = [ids, ids[0], last, shards];
  const { rows } = await database.query<PendingRow & Record<string, unknown>>(chosenStatement, values);
  return { rows, next: ids.length < limit ? undefined : last };
}

/**
 * The unfinished chunks with ordering keys of one account on one shard that come after a place, in order. Places are
 * committed in order, so none that is missing here is committed later in front of one that is not.
 */
export async function readOrderedPending(
  database: Queryable,
  read: { shard: number; accountId: number; after: number; limit: number },
): Promise<OrderedRow[]> {
  const values = [read.shard, read.accountId, read.after, read.limit];
  return (await database.query<OrderedRow & Record<string, unknown>>(orderedStatement, values)).rows;
}
