import { type Database, DatabaseError } from '../database.ts';
import { type ChunkRow, insertChunks, newChunkCalls } from './insert-chunks.ts';

const uniqueViolation = '23505';

/**
 * Stores chunks of messages that belong to no batch, all on one shard, in one transaction. A chunk that is
 * already there was stored before an answer got lost, and counts as done. Answers the ids of those that were not.
 */
export async function storeMessages(
  database: Database,
  { shard, chunks }: { shard: number; chunks: ChunkRow[] },
): Promise<ReadonlySet<string>> {
  try {
    // One or two round trips instead of four.
    await database.transactionOf(newChunkCalls({ shard, batch: null, chunks }));
    return new Set(chunks.map(({ id }) => id));
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.fault.code !== uniqueViolation) throw error;
    return await storeAgain(database, { shard, chunks });
  }
}

/** Some of them are there. */
async function storeAgain(
  database: Database,
  { shard, chunks }: { shard: number; chunks: ChunkRow[] },
): Promise<ReadonlySet<string>> {
  return await database.transaction(async (transaction) => {
    const inserted = await insertChunks(transaction, { shard, batch: null, chunks });
    if (inserted.size === 0) await transaction.query(lockStatement, [shard]);
    return inserted;
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
