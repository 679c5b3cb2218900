import type { TagCounts } from '../../message/statistics/own-tags.ts';
import type { TemplatePins } from '../../message/templates/pins.ts';
import type { Call, Queryable } from '../database.ts';
import { insertCalls, insertRows, type RowInsert } from '../multi-row.ts';
import { deltaSlot } from '../statistics/insert-delta.ts';
import { acceptedDelta } from './accepted-delta.ts';

export interface ChunkRow {
  id: string;
  accountId: number;
  routeId: number;
  priority: number;
  count: number;
  /** The SMS parts that its account is charged for, where they are counted; a message is one otherwise. */
  parts?: number;
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
  /** The key of a list of its account that it stands in: one row of `message_key`. */
  listKey?: bigint;
  /**
   * The 32-bit hashes of its messages' ordering keys, four bytes each, little end first. Such a chunk comes after
   * those that were stored on the shard before, and after those before it in the same list.
   */
  ordering?: Uint8Array;
  /** What the templates mean that its lines name; absent where none does. */
  templates?: TemplatePins;
  /** Its messages by tag, those of the batch included; absent where none has any. */
  tags?: TagCounts;
  /** Some of its messages name tags of their own. */
  tagged?: boolean;
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

/**
 * The same as statements that fail on a chunk that is already there. Chunks of a few messages are a single one,
 * however many they are: one round trip, and one prepared statement.
 */
export function newChunkCalls(fresh: NewChunks): Call[] {
  if (areSmall(fresh.chunks)) return [smallChunksCall(fresh)];
  return [chunkInsert(fresh), ...besideChunks(fresh)].flatMap((insert) => [...insertCalls(insert)]);
}

/** In arrays bytes are sent as hexadecimal digits: more of them are better sent as they are. */
const arrayBytesMax = 65_536;

function areSmall(chunks: readonly ChunkRow[]): boolean {
  const bytes = chunks.reduce((sum, { payload }) => sum + payload.length, 0);
  return bytes <= arrayBytesMax && chunks.every(({ lookup, ordering }) => 'hashes' in lookup && !ordering);
}

function smallChunksCall({ shard, batch, chunks }: NewChunks): Call {
  const chunkColumns = columnsOf(chunkTypes, chunks.map(smallChunkValues));
  const keyColumns = columnsOf(keyTypes, chunks.flatMap(keysOf));
  const { id, entries } = acceptedDelta({ batch, chunks });
  const values = [shard, batch, ...chunkColumns, ...keyColumns, id, entries];
  return { statement: smallChunksStatement, values };
}

function smallChunkValues(chunk: ChunkRow): unknown[] {
  const { id, accountId, routeId, priority, firstLine, count, codec, payload, timed, dueAt } = chunk;
  const values = [id, accountId, routeId, priority, firstLine ?? null, count, codec, payload, timed, dueAt];
  return [...values, ...ownHashes(chunk), templatesText(chunk), chunk.tagged ?? false];
}

function templatesText({ templates }: ChunkRow): string | null {
  return templates ? JSON.stringify(templates) : null;
}

function columnsOf(types: readonly string[], rows: readonly (readonly unknown[])[]): unknown[][] {
  return types.map((_, column) => rows.map((row) => row[column]));
}

const chunkTypes = [
  ...['uuid', 'integer', 'integer', 'smallint', 'bigint', 'smallint', 'smallint', 'bytea', 'boolean'],
  ...['timestamptz', 'bigint', 'bigint', 'jsonb', 'boolean'],
];
const keyTypes = ['integer', 'bigint', 'uuid'];
const firstArray = 3;
const deltaAt = firstArray + chunkTypes.length + keyTypes.length;

const smallChunksStatement = {
  name: 'insert_small_chunks',
  text: `WITH new AS MATERIALIZED (
      SELECT * FROM ${unnest(chunkTypes, firstArray)} AS new
        (id, account, route, priority, first_line, count, codec, payload, timed, due_at, to_hash, ref_hash, templates, tagged)
    ), chunks AS (
      INSERT INTO chunk (shard, id, account_id, batch, route_id, priority, first_line, count, codec, payload, timed,
        to_hash, ref_hash, templates, tagged)
      SELECT $1::smallint, id, account, $2::uuid, route, priority, first_line, count, codec, payload, timed,
        to_hash, ref_hash, templates, tagged
      FROM new
    ), keys AS (
      INSERT INTO message_key (account_id, hash, shard, chunk_id)
      SELECT account, hash, $1::smallint, id
      FROM ${unnest(keyTypes, firstArray + chunkTypes.length)} AS key (account, hash, id)
    ), counted AS (
      INSERT INTO statistics_delta (shard, id, slot, at, entries)
      VALUES ($1::smallint, $${deltaAt}::bigint, ${deltaSlot}, now(), $${deltaAt + 1}::text)
    )
    INSERT INTO pending (chunk_id, shard, account_id, route_id, priority, batch, count, due_at)
    SELECT id, $1::smallint, account, route, priority, $2::uuid, count, greatest(due_at, now()) FROM new`,
};

function unnest(types: readonly string[], first: number): string {
  return `unnest(${types.map((type, index) => `$${first + index}::${type}[]`).join(', ')})`;
}

function chunkInsert({ shard, batch, chunks }: NewChunks): RowInsert {
  return {
    name: 'insert_new_chunks',
    into: `INSERT INTO chunk
      (shard, id, account_id, batch, route_id, priority, first_line, count, codec, payload, timed,
       to_hash, ref_hash, templates, tagged)`,
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
      templatesText(chunk),
      chunk.tagged ?? false,
    ]),
  };
}

/** What finds, delivers and counts them. */
function besideChunks(fresh: NewChunks): RowInsert[] {
  const keyed = { ...fresh, chunks: fresh.chunks.filter(({ ordering }) => ordering) };
  const unordered = { ...fresh, chunks: fresh.chunks.filter(({ ordering }) => !ordering) };
  const inserts = [pendingInsert(unordered), filterInsert(fresh), keyInsert(fresh), deltaInsert(fresh)];
  return keyed.chunks.length === 0 ? inserts : [...inserts, placeRaise(keyed), orderedInsert(keyed)];
}

function deltaInsert({ shard, batch, chunks }: NewChunks): RowInsert {
  const { id, entries } = acceptedDelta({ batch, chunks });
  return {
    name: 'insert_accepted_delta',
    into: 'INSERT INTO statistics_delta (shard, id, at, entries, slot)',
    rows: chunks.length === 0 ? [] : [[shard, id, entries]],
    tuple: (p) => `(${p(1)}, ${p(2)}, now(), ${p(3)}, ${deltaSlot})`,
  };
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
    rows: chunks.flatMap((chunk) => keysOf(chunk).map(([account, hash, id]) => [account, hash, shard, id])),
  };
}

/** Account, hash and chunk. The hashes of a single message are in its chunk. */
function keysOf({ id, accountId, count, lookup, listKey }: ChunkRow): [number, bigint, string][] {
  const hashes = new Set(count === 1 || !('hashes' in lookup) ? [] : lookup.hashes);
  if (listKey !== undefined) hashes.add(listKey);
  return [...hashes].map((hash) => [accountId, hash, id]);
}
