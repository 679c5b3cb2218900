import type { MessageDefaults } from '../../message/fields.ts';
import type { OutcomeRow } from '../../message/fold-outcomes.ts';
import { shardOf } from '../../message/id.ts';
import type { TemplatePins } from '../../message/templates/pins.ts';
import type { Queryable } from '../database.ts';

export interface ChunkRow {
  id: string;
  codec: number;
  payload: Uint8Array;
  /** Some of its messages have times of their own. */
  timed: boolean;
  /** What the templates mean that its lines name; null where none does. */
  templates: TemplatePins | null;
}

/**
 * Each row is found by its own key: `= ANY` on both columns reads every pair of a shard and an id, or all rows of
 * the shards. The bounds leave out the days in which none of the ids lies, which a plan kept for any array cannot.
 */
const chunksStatement = {
  name: 'load_chunks',
  text: `SELECT c.id, c.codec, c.payload, c.timed, c.templates
    FROM unnest($1::smallint[], $2::uuid[]) AS key (shard, id)
    JOIN chunk c ON c.shard = key.shard AND c.id = key.id
    WHERE c.id >= $3 AND c.id <= $4`,
};

export async function loadChunks(database: Queryable, keys: { ids: string[] }): Promise<ChunkRow[]> {
  const values = boundedKeys(keys.ids);
  return (await database.query<ChunkRow & Record<string, unknown>>(chunksStatement, values)).rows;
}

export type TaggedChunkRow = Pick<ChunkRow, 'id' | 'codec' | 'payload'>;

const taggedStatement = {
  name: 'load_tagged_chunks',
  text: `SELECT c.id, c.codec, c.payload
    FROM unnest($1::smallint[], $2::uuid[]) AS key (shard, id)
    JOIN chunk c ON c.shard = key.shard AND c.id = key.id
    WHERE c.id >= $3 AND c.id <= $4 AND c.tagged`,
};

/** Those whose messages name tags of their own. */
export async function loadTaggedChunks(
  database: Queryable,
  keys: { ids: string[] },
): Promise<TaggedChunkRow[]> {
  const values = boundedKeys(keys.ids);
  return (await database.query<TaggedChunkRow & Record<string, unknown>>(taggedStatement, values)).rows;
}

/** What a chunk is by its columns, without its messages. */
export interface ChunkKeyRow {
  chunkId: string;
  shard: number;
  accountId: number;
  routeId: number;
  priority: number;
  count: number;
  batch: string | null;
  /** It is pending and has a place in the order of its shard. */
  ordered: boolean;
  /** It is pending and waits for the closing of its batch. */
  awaitsClosing: boolean;
}

const keysStatement = {
  name: 'load_chunk_keys',
  text: `SELECT c.id AS "chunkId", c.shard, c.account_id AS "accountId", c.route_id AS "routeId", c.priority, c.count,
      c.batch, p.ordered IS NOT NULL AS ordered, coalesce(p.due_at = 'infinity', false) AS "awaitsClosing"
    FROM unnest($1::smallint[], $2::uuid[]) AS key (shard, id)
    JOIN chunk c ON c.shard = key.shard AND c.id = key.id
    LEFT JOIN pending p ON p.shard = key.shard AND p.chunk_id = key.id
    WHERE c.id >= $3 AND c.id <= $4`,
};

export async function loadChunkKeys(database: Queryable, keys: { ids: string[] }): Promise<ChunkKeyRow[]> {
  const values = boundedKeys(keys.ids);
  return (await database.query<ChunkKeyRow & Record<string, unknown>>(keysStatement, values)).rows;
}

export interface ChunkOutcomeRow extends OutcomeRow {
  chunkId: string;
}

const outcomesStatement = {
  name: 'load_outcomes',
  text: `SELECT o.chunk_id AS "chunkId", o.at, o.due_at AS "dueAt", o.state, o.attempt, o.offsets,
      o.error_code AS "errorCode", NULL AS details, NULL AS "providerRefs"
    FROM unnest($1::smallint[], $2::uuid[]) AS key (shard, id)
    JOIN outcome o ON o.shard = key.shard AND o.chunk_id = key.id
    WHERE o.chunk_id >= $3 AND o.chunk_id <= $4
    ORDER BY o.chunk_id, o.seq`,
};

/** What is recorded of some chunks, in order of seq; without details and references, which delivery does not need. */
export async function loadOutcomes(database: Queryable, keys: { ids: string[] }): Promise<ChunkOutcomeRow[]> {
  const values = boundedKeys(keys.ids);
  return (await database.query<ChunkOutcomeRow & Record<string, unknown>>(outcomesStatement, values)).rows;
}

const defaultsStatement = {
  name: 'load_batch_defaults',
  text: `SELECT b.id, b.defaults
    FROM unnest($1::smallint[], $2::uuid[]) AS key (shard, id)
    JOIN batch b ON b.shard = key.shard AND b.id = key.id
    WHERE b.id >= $3 AND b.id <= $4`,
};

export async function loadBatchDefaults(
  database: Queryable,
  keys: { ids: string[] },
): Promise<{ id: string; defaults: MessageDefaults }[]> {
  const values = boundedKeys(keys.ids);
  return (await database.query<{ id: string; defaults: MessageDefaults }>(defaultsStatement, values)).rows;
}

/** The shards of some ids, the ids, and the lowest and the highest of them. */
function boundedKeys(ids: readonly string[]): unknown[] {
  let lowest = ids[0];
  let highest = ids[0];
  for (const id of ids) {
    if (id < lowest!) lowest = id;
    if (id > highest!) highest = id;
  }
  return [ids.map(shardOf), ids, lowest, highest];
}
