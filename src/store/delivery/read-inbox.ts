import type { Bitmap } from '../../message/bitmap.ts';
import { type DecisionKind, decisionKinds, type InboxFilter } from '../../message/decision-request.ts';
import type { Queryable } from '../database.ts';

export interface InboxRow extends InboxPlace {
  shard: number;
  chunkId: string;
  kind: DecisionKind;
  /** Null for all of the chunk. */
  offsets: Bitmap | null;
  filter: InboxFilter;
}

/** Where a request stands among all, in the order in which they were made. */
export interface InboxPlace {
  /** Microseconds since 1970, as text. */
  at: string;
  id: string;
}

export interface InboxRead {
  shards: number[];
  /** `messages`: what is asked about chunks of which some single message is asked about. `chunks`: about all others. */
  of: 'messages' | 'chunks';
  /** Only what stands behind it. */
  after?: InboxPlace | undefined;
  limit: number;
}

// All that is asked about a chunk is read in its order, by one of the two reads. A window instead of a look into the
// table for each row: that would be done row by row by a plan that was made when the inbox was empty. What a newer
// release asks for, its own workers understand.
const statement = {
  name: 'read_inbox_of',
  text: `SELECT id, at, shard, chunk_id AS "chunkId", kind, offsets, filter FROM (
      SELECT id, (extract(epoch FROM at) * 1000000)::bigint AS at, shard, chunk_id, kind, offsets, filter,
        bool_or(offsets IS NOT NULL) OVER (PARTITION BY shard, chunk_id) AS of_messages
      FROM inbox WHERE shard = ANY($1::smallint[]) AND kind IN (${Object.keys(decisionKinds).join(', ')})
    ) AS request
    WHERE of_messages = $2 AND ($3::bigint IS NULL OR (at, id) > ($3::bigint, $4::uuid))
    ORDER BY request.at, id LIMIT $5`,
};

/** A page of what is asked of the owner of some shards, oldest first. */
export async function readInbox(
  database: Queryable,
  { shards, of, after, limit }: InboxRead,
): Promise<InboxRow[]> {
  const { rows } = await database.query<Omit<InboxRow, 'kind'> & { kind: number }>(statement, [
    ...[shards, of === 'messages', after?.at ?? null, after?.id ?? null, limit],
  ]);
  return rows.map((row) => ({ ...row, at: `${row.at}`, kind: decisionKinds[row.kind]! }));
}
