import type { Backlog } from '../backlog/backlog.ts';
import type { PendingChunk } from '../backlog/pending-chunk.ts';
import type { ChunkLoader } from '../chunks/chunk-loader.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import type { DecisionStore } from '../delivery-store.ts';
import type { Tenure } from '../ownership/tenure.ts';

interface Parts {
  store: Pick<DecisionStore, 'loadChunkKeys'>;
  backlog: Backlog;
  loader: ChunkLoader;
  tenures: () => ReadonlyMap<number, Tenure>;
  /** Keys were forgotten that are still pending. */
  onForgotten: () => void;
}

/**
 * Brings chunks into memory, without their text, to decide on them; `onWork` is called for each that is there, at once for
 * those that are loaded. What is on its way into memory or out of it is added to `left`: the next turn finds it. The answer are
 * those that exist no more.
 */
export async function bringChunks(
  { store, backlog, loader, tenures, onForgotten }: Parts,
  wanted: {
    /** By chunk id. */
    shards: ReadonlyMap<string, number>;
    left: Set<string>;
    onWork: (work: ChunkWork) => void;
  },
): Promise<string[]> {
  const { shards, left, onWork } = wanted;
  const unknown: string[] = [];
  const parked: PendingChunk[] = [];
  for (const [id, shard] of shards) {
    const chunk = tenures().get(shard)?.chunks.get(id);
    if (chunk === undefined) unknown.push(id);
    else if (chunk.place === 'waiting' || chunk.place === 'due') {
      // At once: it must not be loaded to be sent as well while the keys of others are read.
      chunk.place = 'deciding';
      parked.push(chunk);
    } else if (chunk.place === 'loaded' && !chunk.work!.closed) onWork(chunk.work!);
    else left.add(id);
  }
  const gone = new Set(unknown);
  try {
    const keys = unknown.length === 0 ? [] : await store.loadChunkKeys({ ids: unknown });
    for (const key of keys) {
      gone.delete(key.chunkId);
      const tenure = tenures().get(key.shard);
      // It may have been taken in while its key was read.
      if (tenure?.state !== 'held' || tenure.chunks.has(key.chunkId)) left.add(key.chunkId);
      else parked.push(backlog.adopt(tenure, key));
    }
    for (const work of await loader.loadParked(parked)) onWork(work);
  } catch (error) {
    for (const id of shards.keys()) left.add(id);
    for (const chunk of parked) backlog.forget(chunk);
    onForgotten();
    throw error;
  }
  return [...gone];
}
