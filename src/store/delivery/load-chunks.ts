import type { MessageDefaults } from '../../message/fields.ts';
import type { OutcomeRow } from '../../message/fold-outcomes.ts';
import type { Queryable } from '../database.ts';

export interface ChunkRow {
  id: string;
  codec: number;
  payload: Uint8Array;
}

const chunksStatement = {
  name: 'load_chunks',
  text: 'SELECT id, codec, payload FROM chunk WHERE shard = ANY($1::smallint[]) AND id = ANY($2::uuid[])',
};

export async function loadChunks(
  database: Queryable,
  keys: { shards: number[]; ids: string[] },
): Promise<ChunkRow[]> {
  const values = [keys.shards, keys.ids];
  return (await database.query<ChunkRow & Record<string, unknown>>(chunksStatement, values)).rows;
}

export interface ChunkOutcomeRow extends OutcomeRow {
  chunkId: string;
}

const outcomesStatement = {
  name: 'load_outcomes',
  text: `SELECT chunk_id AS "chunkId", at, due_at AS "dueAt", state, attempt, offsets, error_code AS "errorCode",
      NULL AS details, NULL AS "providerRefs"
    FROM outcome WHERE shard = ANY($1::smallint[]) AND chunk_id = ANY($2::uuid[]) ORDER BY chunk_id, seq`,
};

/** What is recorded of some chunks, in order of seq; without details and references, which delivery does not need. */
export async function loadOutcomes(
  database: Queryable,
  keys: { shards: number[]; ids: string[] },
): Promise<ChunkOutcomeRow[]> {
  const values = [keys.shards, keys.ids];
  return (await database.query<ChunkOutcomeRow & Record<string, unknown>>(outcomesStatement, values)).rows;
}

const defaultsStatement = {
  name: 'load_batch_defaults',
  text: 'SELECT id, defaults FROM batch WHERE shard = ANY($1::smallint[]) AND id = ANY($2::uuid[])',
};

export async function loadBatchDefaults(
  database: Queryable,
  keys: { shards: number[]; ids: string[] },
): Promise<{ id: string; defaults: MessageDefaults }[]> {
  const values = [keys.shards, keys.ids];
  return (await database.query<{ id: string; defaults: MessageDefaults }>(defaultsStatement, values)).rows;
}
