import type { Database } from '../database.ts';
import { type ChunkRow, insertChunks } from './insert-chunks.ts';

/**
 * Stores chunks of messages that belong to no batch, all on one shard, in one transaction. A chunk that is
 * already there was stored before an answer got lost, and counts as done.
 */
export async function storeMessages(
  database: Database,
  { shard, chunks }: { shard: number; chunks: ChunkRow[] },
): Promise<void> {
  await database.transaction((transaction) => insertChunks(transaction, { shard, batch: null, chunks }));
}
