import type { BatchStore } from './delivery-store.ts';

/** Batches marked done in one turn. */
const batchesPerTurn = 500;

/**
 * Marks batches done whose messages all are, and folds their counters into them. Each worker looks after the
 * batches whose home shard it owns; doing one twice changes nothing.
 */
export async function finishBatches(store: BatchStore, shards: number[]): Promise<number> {
  if (shards.length === 0) return 0;
  const finished = await store.readFinishedBatches({ shards, limit: batchesPerTurn });
  for (const batch of finished) await store.finishBatch(batch);
  return finished.length;
}
