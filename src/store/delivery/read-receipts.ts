import type { Bitmap } from '../../message/bitmap.ts';
import type { StateNumber } from '../../message/state.ts';
import type { Queryable } from '../database.ts';

/** Receipts that were matched to messages of a chunk and say the same of each: a row of `matched_receipt`. */
export interface ReceiptRow extends ReceiptPlace {
  chunkId: string;
  state: StateNumber;
  /** The number of replays that the messages were sent under. */
  renewal: number;
  offsets: Bitmap;
  errorCode: string | null;
  /** One for each message in order of offset, or a single one that stands for all. */
  details: string[] | null;
  /** Unix milliseconds by the database's clock. */
  atMs: number;
  receivedAtMs: number;
}

/** Where it stands among all: about the order in which they were matched. */
export interface ReceiptPlace {
  id: string;
  shard: number;
}

export interface ReceiptRead {
  shards: number[];
  /** Only what stands behind it. */
  after: ReceiptPlace;
  limit: number;
}

const statement = {
  name: 'read_matched_receipts',
  text: `SELECT id, shard, chunk_id AS "chunkId", state, renewal, offsets, error_code AS "errorCode", details,
      (extract(epoch FROM at) * 1000)::float8 AS "atMs",
      (extract(epoch FROM received_at) * 1000)::float8 AS "receivedAtMs"
    FROM matched_receipt WHERE shard = ANY($1::smallint[]) AND (id, shard) > ($2::uuid, $3::smallint)
    ORDER BY id, shard LIMIT $4`,
};

/** A page of the receipts for the owner of some shards. */
export async function readReceipts(
  database: Queryable,
  { shards, after, limit }: ReceiptRead,
): Promise<ReceiptRow[]> {
  const values = [shards, after.id, after.shard, limit];
  return (await database.query<ReceiptRow & Record<string, unknown>>(statement, values)).rows;
}
