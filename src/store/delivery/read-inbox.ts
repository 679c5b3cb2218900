import type { Bitmap } from '../../message/bitmap.ts';
import { type DecisionKind, decisionKinds, type InboxFilter } from '../../message/decision-request.ts';
import type { Queryable } from '../database.ts';

export interface InboxRow {
  id: string;
  shard: number;
  chunkId: string;
  kind: DecisionKind;
  /** Null for all of the chunk. */
  offsets: Bitmap | null;
  filter: InboxFilter;
}

const statement = {
  name: 'read_inbox',
  text: `SELECT id, shard, chunk_id AS "chunkId", kind, offsets, filter FROM inbox
    WHERE shard = ANY($1::smallint[]) ORDER BY at, id LIMIT $2`,
};

/** What is asked of the owner of some shards, oldest first. */
export async function readInbox(
  database: Queryable,
  read: { shards: number[]; limit: number },
): Promise<InboxRow[]> {
  const { rows } = await database.query<Omit<InboxRow, 'kind'> & { kind: number }>(statement, [
    read.shards,
    read.limit,
  ]);
  return rows.flatMap((row) => {
    const kind = decisionKinds[row.kind];
    // A newer release's request: its own workers know what it means.
    return kind === undefined ? [] : [{ ...row, kind }];
  });
}
