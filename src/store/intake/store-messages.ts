import { amountOf } from '../../message/allowance.ts';
import { type Database, DatabaseError, type Queryable } from '../database.ts';
import { charge, fitOf, lockMeter, type Refusal } from './charge.ts';
import { type ChunkRow, insertChunks, newChunkCalls } from './insert-chunks.ts';

/** Chunks of messages that belong to no batch, all on one shard. */
interface ChunksOfShard {
  shard: number;
  chunks: readonly ChunkRow[];
}

export interface StoredMessages {
  /** How many messages each of the chunks holds, by its id: fewer than were given where an account may not send them all. */
  counts: ReadonlyMap<string, number>;
  /** The ids of those that were not there before. */
  fresh: ReadonlySet<string>;
  /** Why messages of an account's are missing. */
  refusal?: Refusal;
}

const uniqueViolation = '23505';

/**
 * Stores chunks in one transaction. A chunk that is already there was stored before an answer got lost, and counts as done.
 */
export async function storeMessages(
  database: Database,
  { shard, chunks }: ChunksOfShard,
): Promise<StoredMessages> {
  try {
    // One or two round trips instead of four.
    await database.transactionOf(newChunkCalls({ shard, batch: null, chunks }));
    return { counts: countsOf(chunks), fresh: new Set(chunks.map(({ id }) => id)) };
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.fault.code !== uniqueViolation) throw error;
    return await storeAgain(database, { shard, chunks });
  }
}

/** Some of them are there. */
async function storeAgain(database: Database, { shard, chunks }: ChunksOfShard): Promise<StoredMessages> {
  return await database.transaction(async (transaction) => {
    const fresh = await insertChunks(transaction, { shard, batch: null, chunks });
    if (fresh.size === 0) await transaction.query(lockStatement, [shard]);
    // An account may have had a limit when they were stored.
    const present = await countStored(transaction, { shard, chunks });
    return { counts: new Map([...countsOf(chunks), ...present]), fresh };
  });
}

/**
 * A COMMIT of nothing would not wait for the standby, which the one that stored these chunks may not have reached.
 * This lock is written to the log, and neither waits for claims of the shard nor holds them up.
 */
const lockStatement = {
  name: 'lock_shard',
  text: 'SELECT 1 FROM shard_owner WHERE shard = $1 FOR KEY SHARE',
};

/** A chunk that may be cut to its first messages. */
export interface DivisibleChunk {
  id: string;
  /** Of each of its messages. */
  parts: readonly number[];
  first(count: number): ChunkRow;
}

interface MeteredChunks {
  shard: number;
  accountId: number;
  chunks: readonly DivisibleChunk[];
  /** Stores nothing where not all of them fit. */
  whole?: boolean;
}

/**
 * Stores as much of an account's chunks, in their order, as it may send, and charges it for just that. What is there
 * already was charged then: nobody else stores under these ids, and who did holds the account's meter until it is known.
 */
export async function storeMeteredMessages(
  database: Database,
  { shard, accountId, chunks, whole }: MeteredChunks,
): Promise<StoredMessages> {
  return await database.transaction(async (transaction) => {
    // The meter comes first: it makes this wait for an earlier try whose COMMIT is still under way.
    const meter = await lockMeter(transaction, accountId);
    const present = await countStored(transaction, { shard, chunks });
    const absent = chunks.filter(({ id }) => !present.has(id));
    const wanted = absent.flatMap(({ parts }) => parts);
    const { count: fitting, refusal } = fitOf(meter, wanted);
    const count = whole && fitting < wanted.length ? 0 : fitting;
    await charge(transaction, meter, amountOf(wanted, count));
    const rows = firstOf(absent, count);
    await insertChunks(transaction, { shard, batch: null, chunks: rows });
    return {
      counts: new Map([...present, ...countsOf(rows)]),
      fresh: new Set(rows.map(({ id }) => id)),
      ...(refusal && { refusal }),
    };
  });
}

function firstOf(chunks: readonly DivisibleChunk[], count: number): ChunkRow[] {
  const rows: ChunkRow[] = [];
  let left = count;
  for (const chunk of chunks) {
    if (left === 0) break;
    const some = Math.min(left, chunk.parts.length);
    rows.push(chunk.first(some));
    left -= some;
  }
  return rows;
}

async function countStored(
  transaction: Queryable,
  { shard, chunks }: { shard: number; chunks: readonly { id: string }[] },
): Promise<Map<string, number>> {
  const { rows } = await transaction.query<{ id: string; count: number }>(
    {
      name: 'count_stored',
      text: 'SELECT id, count FROM chunk WHERE shard = $1 AND id = ANY ($2::uuid[])',
    },
    [shard, chunks.map(({ id }) => id)],
  );
  return new Map(rows.map(({ id, count }) => [id, count]));
}

function countsOf(chunks: readonly ChunkRow[]): Map<string, number> {
  return new Map(chunks.map(({ id, count }) => [id, count]));
}
