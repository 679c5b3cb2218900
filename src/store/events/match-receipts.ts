import type { Bitmap } from '../../message/bitmap.ts';
import { shardOf } from '../../message/id.ts';
import type { StateNumber } from '../../message/state.ts';
import type { Database, Queryable } from '../database.ts';
import type { ProviderReference } from '../delivery/record-outcomes.ts';
import { insertRows } from '../multi-row.ts';
import type { ReceiptRow } from './store-receipts.ts';

/** A row that is due to be matched. */
export interface DueReceipts extends ReceiptRow {
  receivedAt: Date;
  /** How long ago by the database's clock. */
  ageMs: number;
  /** How often it was looked for in vain. */
  tries: number;
}

/** Receipts of messages of one chunk that say the same, for the owner of its shard. */
export interface MatchedReceipts {
  id: string;
  chunkId: string;
  state: StateNumber;
  /** The number of replays under which the messages were sent. */
  renewal: number;
  offsets: Bitmap;
  errorCode: string | null;
  /** One for each message in order of offset, or a single one that stands for all. */
  details: string[] | null;
  at: Date;
  receivedAt: Date;
}

/** Receipts that are looked for again. */
export interface WaitingReceipts extends ReceiptRow {
  receivedAt: Date;
  tries: number;
  dueInMs: number;
}

/** What becomes of some rows of `receipt`. */
export interface Matching {
  matched: MatchedReceipts[];
  waiting: WaitingReceipts[];
  unknown: ReceiptRow[];
  /** Ids of rows that could not be read: they stay, and are looked at again after a while. */
  unread: string[];
}

/** Receipts of one route on one shard that are due to be matched. */
export interface DueOfRoute {
  shard: number;
  routeId: number;
  receipts: number;
  /** For how long the one that waits longest has been due. */
  waitedMs: number;
}

const dueStatement = {
  name: 'receipts_due_by_route',
  text: `SELECT shard, route_id AS "routeId", sum(count)::float8 AS receipts,
      (extract(epoch FROM now() - min(due_at)) * 1000)::float8 AS "waitedMs"
    FROM receipt WHERE due_at <= now() GROUP BY shard, route_id ORDER BY min(due_at)`,
};

/** Which receipts are due to be matched; what waits longest comes first. */
export async function receiptsDueByRoute(database: Queryable): Promise<DueOfRoute[]> {
  return (await database.query<DueOfRoute & Record<string, unknown>>(dueStatement)).rows;
}

// Of one shard, so that Citus takes it as well: what another server matches at the moment is passed over. Rows that are locked and not
// taken are free again at the commit.
const takeStatement = {
  name: 'take_receipts_of_routes',
  text: `WITH locked AS (
      SELECT id, route_id, count, codec, payload, received_at, tries FROM receipt
        WHERE shard = $1 AND route_id = ANY($2::int[]) AND due_at <= now() ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED
    ), summed AS (SELECT *, sum(count) OVER (ORDER BY id) - count AS before FROM locked)
    SELECT id, route_id AS "routeId", count, codec, payload, received_at AS "receivedAt", tries,
      (extract(epoch FROM now() - received_at) * 1000)::float8 AS "ageMs"
    FROM summed WHERE before < $4 ORDER BY id`,
};

const putOffStatement = {
  name: 'put_off_receipts',
  text: `UPDATE receipt SET due_at = now() + $3::float8 * interval '1 millisecond' WHERE shard = $1 AND id = ANY($2::uuid[])`,
};
/** A server of a later release may be able to read them. */
const unreadAgainMs = 60_000;

const deleteStatement = {
  name: 'delete_receipts',
  text: 'DELETE FROM receipt WHERE shard = $1 AND id = ANY($2::uuid[])',
};

/**
 * Takes rows of some routes that are due on one shard, has them matched, and stores what became of them in their place: all in one
 * transaction, so that several servers match side by side, and a crash leaves every receipt where it was. Answers how
 * many rows it took.
 */
export function matchReceipts(
  database: Database,
  take: {
    shard: number;
    routeIds: readonly number[];
    rowsMax: number;
    /** A further row is taken while those before have fewer. */
    receiptsMax: number;
    match: (transaction: Queryable, rows: DueReceipts[]) => Promise<Matching>;
  },
): Promise<number> {
  const { shard, routeIds, rowsMax, receiptsMax, match } = take;
  return database.transaction(async (transaction) => {
    const { rows } = await transaction.query<DueReceipts & Record<string, unknown>>(takeStatement, [
      shard,
      routeIds,
      rowsMax,
      receiptsMax,
    ]);
    if (rows.length === 0) return 0;
    const { matched, waiting, unknown, unread } = await match(transaction, rows);
    await insertMatched(transaction, matched);
    await insertWaiting(transaction, shard, waiting);
    await insertUnknown(transaction, shard, unknown);
    if (unread.length > 0) await transaction.query(putOffStatement, [shard, unread, unreadAgainMs]);
    const done = rows.map(({ id }) => id).filter((id) => !unread.includes(id));
    if (done.length > 0) await transaction.query(deleteStatement, [shard, done]);
    return rows.length;
  });
}

async function insertMatched(transaction: Queryable, matched: readonly MatchedReceipts[]): Promise<void> {
  await insertRows(transaction, {
    name: 'insert_matched_receipts',
    into: `INSERT INTO matched_receipt (shard, id, chunk_id, state, renewal, offsets, error_code, details, at,
      received_at)`,
    rows: matched.map((row) => {
      const { id, chunkId, state, renewal, offsets, errorCode, details, at, receivedAt } = row;
      return [shardOf(chunkId), id, chunkId, state, renewal, offsets, errorCode, details, at, receivedAt];
    }),
  });
}

async function insertWaiting(
  transaction: Queryable,
  shard: number,
  waiting: readonly WaitingReceipts[],
): Promise<void> {
  await insertRows(transaction, {
    name: 'insert_waiting_receipts',
    into: 'INSERT INTO receipt (shard, id, route_id, count, codec, payload, received_at, tries, due_at)',
    rows: waiting.map(({ id, routeId, count, codec, payload, receivedAt, tries, dueInMs }) => {
      return [shard, id, routeId, count, codec, payload, receivedAt, tries, dueInMs];
    }),
    tuple: (p, columns) => {
      const plain = Array.from({ length: columns - 1 }, (_, column) => p(column + 1));
      return `(${plain.join(', ')}, now() + ${p(columns)}::float8 * interval '1 millisecond')`;
    },
  });
}

async function insertUnknown(
  transaction: Queryable,
  shard: number,
  unknown: readonly ReceiptRow[],
): Promise<void> {
  await insertRows(transaction, {
    name: 'insert_unknown_receipts',
    into: 'INSERT INTO unknown_receipt (shard, id, route_id, count, codec, payload)',
    rows: unknown.map(({ id, routeId, count, codec, payload }) => [
      shard,
      id,
      routeId,
      count,
      codec,
      payload,
    ]),
  });
}

const chunksStatement = {
  name: 'find_receipt_chunks',
  text: `SELECT c.id, c.route_id AS "routeId", c.count
    FROM unnest($1::smallint[], $2::uuid[]) AS key (shard, id)
    JOIN chunk c ON c.shard = key.shard AND c.id = key.id
    WHERE c.id >= $3 AND c.id <= $4`,
};

/** What is known of some chunks, by id. */
export async function findReceiptChunks(
  database: Queryable,
  ids: readonly string[],
): Promise<Map<string, { routeId: number; count: number }>> {
  if (ids.length === 0) return new Map();
  const sorted = [...ids].sort();
  const { rows } = await database.query<{ id: string; routeId: number; count: number }>(chunksStatement, [
    sorted.map(shardOf),
    sorted,
    sorted[0],
    sorted.at(-1),
  ]);
  return new Map(rows.map((row) => [row.id, row]));
}

const referencesStatement = {
  name: 'find_provider_refs',
  text: `SELECT hash, route_id AS "routeId", chunk_id AS "chunkId", "offset", renewal FROM provider_ref
    WHERE hash = ANY($1::bigint[]) AND chunk_id >= $2 AND chunk_id < $3 ORDER BY chunk_id, renewal`,
};

/** Messages by the hashes of their providers' own ids, among those of some days: the oldest first. */
export async function findProviderRefs(
  database: Queryable,
  find: { hashes: readonly bigint[]; fromId: string; toId: string },
): Promise<ProviderReference[]> {
  if (find.hashes.length === 0) return [];
  const { rows } = await database.query<Omit<ProviderReference, 'hash'> & { hash: string }>(
    referencesStatement,
    [find.hashes, find.fromId, find.toId],
  );
  return rows.map((row) => ({ ...row, hash: BigInt(row.hash) }));
}

const forgetStatement = {
  name: 'forget_unknown_receipts',
  text: `DELETE FROM unknown_receipt WHERE at < now() - $1::float8 * interval '1 millisecond'
    OR at < (SELECT at FROM unknown_receipt ORDER BY at DESC OFFSET $2 LIMIT 1)`,
};

/** Forgets unknown receipts that are older, and all but so many rows of them. */
export async function forgetUnknownReceipts(
  database: Queryable,
  { keptMs, rowsMax }: { keptMs: number; rowsMax: number },
): Promise<void> {
  await database.query(forgetStatement, [keptMs, rowsMax]);
}
