import { shardOf } from '../../message/id.ts';
import type { Queryable } from '../database.ts';

/** Chunks of an account that stand in one of its lists. */
export interface KeyedList {
  accountId: number;
  /** Of the list: see `listKey` of message/lookup-hash.ts. */
  key: bigint;
  /** Chunks with an id from here on, and before `to`. */
  from: string;
  to: string;
  /** Only those that may hold a message to this recipient: its look-up hash. */
  toHash?: bigint | undefined;
}

const all = `FROM message_key k
  WHERE k.account_id = $1 AND k.hash = $2 AND k.chunk_id >= $3 AND k.chunk_id < $4`;

/** A chunk of one message carries the hash itself. */
const toOne = `FROM (
    SELECT chunk_id, shard FROM message_key
     WHERE account_id = $1 AND hash = $5 AND chunk_id >= $3 AND chunk_id < $4
    UNION
    SELECT id, shard FROM chunk WHERE to_hash = $5 AND account_id = $1 AND id >= $3 AND id < $4
  ) AS held
  JOIN message_key k ON k.account_id = $1 AND k.hash = $2 AND k.chunk_id = held.chunk_id AND k.shard = held.shard`;

const statements = {
  all: statementsOf('', all, 5),
  toOne: statementsOf('_to_one', toOne, 6),
};

function statementsOf(name: string, chunks: string, next: number) {
  return {
    count: { name: `count_keyed_chunks${name}`, text: `SELECT count(*)::float8 AS count ${chunks}` },
    list: {
      name: `list_keyed_chunks${name}`,
      text: `SELECT k.chunk_id AS id ${chunks} ORDER BY k.chunk_id DESC OFFSET $${next} LIMIT $${next + 1}`,
    },
  };
}

export async function countKeyedChunks(database: Queryable, list: KeyedList): Promise<number> {
  const { statement, values } = callOf(list);
  return (await database.query<{ count: number }>(statement.count, values)).rows[0]!.count;
}

/** Ids of the chunks, newest first. */
export async function listKeyedChunks(
  database: Queryable,
  list: KeyedList & { offset: number; limit: number },
): Promise<string[]> {
  const { statement, values } = callOf(list);
  const { rows } = await database.query<{ id: string }>(statement.list, [...values, list.offset, list.limit]);
  return rows.map(({ id }) => id);
}

function callOf({ accountId, key, from, to, toHash }: KeyedList) {
  const statement = toHash === undefined ? statements.all : statements.toOne;
  return { statement, values: [accountId, key, from, to, ...(toHash === undefined ? [] : [toHash])] };
}

interface KeyedChunk {
  accountId: number;
  key: bigint;
  chunkId: string;
}

const existsStatement = {
  name: 'is_keyed_chunk',
  text: `SELECT EXISTS (
    SELECT FROM message_key WHERE account_id = $1 AND hash = $2 AND chunk_id = $3 AND shard = $4
  ) AS exists`,
};

export async function isKeyedChunk(database: Queryable, chunk: KeyedChunk): Promise<boolean> {
  const { rows } = await database.query<{ exists: boolean }>(existsStatement, valuesOf(chunk));
  return rows[0]!.exists;
}

const removeStatement = {
  name: 'remove_keyed_chunk',
  text: 'DELETE FROM message_key WHERE account_id = $1 AND hash = $2 AND chunk_id = $3 AND shard = $4',
};

/** Takes a chunk out of a list; its messages stay. */
export async function removeKeyedChunk(database: Queryable, chunk: KeyedChunk): Promise<void> {
  await database.query(removeStatement, valuesOf(chunk));
}

function valuesOf({ accountId, key, chunkId }: KeyedChunk): unknown[] {
  return [accountId, key, chunkId, shardOf(chunkId)];
}
