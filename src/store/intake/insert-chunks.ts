import type { Call, Queryable } from '../database.ts';
import { insertCalls, insertRows, type RowInsert } from '../multi-row.ts';

export interface ChunkRow {
  id: string;
  accountId: number;
  routeId: number;
  priority: number;
  count: number;
  codec: number;
  payload: Uint8Array;
  /** Some of its messages have times of their own. */
  timed: boolean;
  firstLine?: number;
  /** When its delivery may begin, null or a time that has passed for at once, `infinity` until its batch is closed. */
  dueAt: Date | 'infinity' | null;
  /**
   * How its messages are found by recipient and reference: by filters, or by one hash a key, those of the recipients
   * first.
   */
  lookup: { toBits: Uint8Array; refBits?: Uint8Array } | { hashes: bigint[] };
  /**
   * The 32-bit hashes of its messages' ordering keys, four bytes each, little end first. Such a chunk comes after
   * those that were stored on the shard before, and after those before it in the same list.
   */
  ordering?: Uint8Array;
}

interface NewChunks {
  shard: number;
  batch: string | null;
  chunks: readonly ChunkRow[];
}

/**
 * Inserts chunks of one shard with what finds and delivers them. A chunk that is already there is left as
 * it is: its writer's answer was lost. Answers the ids that are new.
 */
export async function insertChunks(
  transaction: Queryable,
  { shard, batch, chunks }: NewChunks,
): Promise<Set<string>> {
  const rows = await insertRows<{ id: string }>(transaction, {
    ...chunkInsert({ shard, batch, chunks }),
    name: 'insert_chunks',
    suffix: 'ON CONFLICT DO NOTHING RETURNING id',
  });
  const inserted = new Set(rows.map(({ id }) => id));
  const fresh = chunks.filter(({ id }) => inserted.has(id));
  for (const insert of besideChunks({ shard, batch, chunks: fresh })) await insertRows(transaction, insert);
  return inserted;
}

/** The same as statements that fail on a chunk that is already there. */
export function newChunkCalls(fresh: NewChunks): Call[] {
  return [chunkInsert(fresh), ...besideChunks(fresh)].flatMap((insert) => [...insertCalls(insert)]);
}

function chunkInsert({ shard, batch, chunks }: NewChunks): RowInsert {
  return {
    name: 'insert_new_chunks',
    into: `INSERT INTO chunk
      (shard, id, account_id, batch, route_id, priority, first_line, count, codec, payload, timed,
       to_hash, ref_hash)`,
    rows: chunks.map((chunk) => [
      shard,
      chunk.id,
      chunk.accountId,
      batch,
      chunk.routeId,
      chunk.priority,
      chunk.firstLine ?? null,
      chunk.count,
      chunk.codec,
      chunk.payload,
      chunk.timed,
      ...ownHashes(chunk),
    ]),
  };
}

/** What finds and delivers them. */
function besideChunks(fresh: NewChunks): RowInsert[] {
  const keyed = { ...fresh, chunks: fresh.chunks.filter(({ ordering }) => ordering) };
  const unordered = { ...fresh, chunks: fresh.chunks.filter(({ ordering }) => !ordering) };
  const inserts = [pendingInsert(unordered), filterInsert(fresh), keyInsert(fresh)];
  return keyed.chunks.length === 0 ? inserts : [...inserts, placeRaise(keyed), orderedInsert(keyed)];
}

/** The hashes of recipient and reference that a chunk of one message carries itself. */
function ownHashes({ count, lookup }: ChunkRow): [bigint | null, bigint | null] {
  if (count !== 1 || !('hashes' in lookup)) return [null, null];
  return [lookup.hashes[0] ?? null, lookup.hashes[1] ?? null];
}

function pendingInsert({ shard, batch, chunks }: NewChunks): RowInsert {
  return {
    name: 'insert_pending',
    into: 'INSERT INTO pending (chunk_id, shard, account_id, route_id, priority, batch, count, due_at)',
    rows: chunks.map((chunk) => pendingValues(chunk, { shard, batch })),
    // What has no due time, or one that has passed, is due at the database's now, whatever the clock here says.
    tuple: (p) => `(${[1, 2, 3, 4, 5, 6, 7].map(p).join(',')}, greatest(${p(8)}::timestamptz, now()))`,
  };
}

function pendingValues(chunk: ChunkRow, at: { shard: number; batch: string | null }): unknown[] {
  const { id, accountId, routeId, priority, count, dueAt } = chunk;
  return [id, at.shard, accountId, routeId, priority, at.batch, count, dueAt];
}

/** Whoever takes places next waits for this commit, so that places are committed in their order. */
function placeRaise({ shard, chunks }: NewChunks): RowInsert {
  return {
    name: 'raise_places',
    into: 'INSERT INTO shard_order AS present (shard, last)',
    rows: [[shard, chunks.length]],
    suffix: 'ON CONFLICT (shard) DO UPDATE SET last = present.last + excluded.last',
  };
}

function orderedInsert({ shard, batch, chunks }: NewChunks): RowInsert {
  return {
    name: 'insert_ordered',
    into: `INSERT INTO pending
      (chunk_id, shard, account_id, route_id, priority, batch, count, due_at, ordered, ordering)
      SELECT new.id, new.shard, new.account, new.route, new.priority, new.batch, new.count,
        greatest(new.due_at, now()), place.last - new.behind, new.ordering
      FROM shard_order AS place, (`,
    rows: chunks.map((chunk, index) => [
      ...pendingValues(chunk, { shard, batch }),
      chunks.length - 1 - index,
      chunk.ordering,
    ]),
    tuple: (p) => `(${orderedTypes.map((type, index) => `${p(index + 1)}::${type}`).join(', ')})`,
    // The shard of the first row is that of all.
    suffix: `) AS new (id, shard, account, route, priority, batch, count, due_at, behind, ordering)
      WHERE place.shard = $2::smallint`,
  };
}

const orderedTypes = [
  ...['uuid', 'smallint', 'integer', 'integer', 'smallint', 'uuid', 'smallint', 'timestamptz'],
  ...['bigint', 'bytea'],
];

function filterInsert({ shard, chunks }: NewChunks): RowInsert {
  return {
    name: 'insert_filters',
    into: 'INSERT INTO chunk_filter (account_id, shard, chunk_id, to_bits, ref_bits)',
    rows: chunks.flatMap(({ id, accountId, lookup }) =>
      'toBits' in lookup ? [[accountId, shard, id, lookup.toBits, lookup.refBits ?? null]] : [],
    ),
  };
}

function keyInsert({ shard, chunks }: NewChunks): RowInsert {
  return {
    name: 'insert_keys',
    into: 'INSERT INTO message_key (account_id, hash, shard, chunk_id)',
    rows: chunks.flatMap(({ id, accountId, count, lookup }) =>
      'hashes' in lookup && count > 1
        ? [...new Set(lookup.hashes)].map((hash) => [accountId, hash, shard, id])
        : [],
    ),
  };
}
