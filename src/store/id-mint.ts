import { randomFillSync } from 'node:crypto';
import { makeChunkId } from '../message/id.ts';

/** Makes the ids of chunks and batches. 52 random bits beside millisecond and shard keep them unique. */
export interface IdMint {
  mint(shard: number): string;
}

export interface IdMintSettings {
  /** The database's time. */
  nowMs(): number;
  /** The milliseconds for which partitions exist: an id outside of them could not be stored. */
  range(): { fromMs: number; toMs: number };
}

const bytesPerId = 8;
/** Random bytes are drawn for this many ids at once: a call for each costs more than the id. */
const idsPerDraw = 512;

export function createIdMint(settings: IdMintSettings): IdMint {
  const pool = new Uint8Array(bytesPerId * idsPerDraw);
  let used = pool.length;
  return {
    mint(shard) {
      if (used === pool.length) {
        randomFillSync(pool);
        used = 0;
      }
      const random = pool.subarray(used, used + bytesPerId);
      used += bytesPerId;
      const { fromMs, toMs } = settings.range();
      const unixMs = Math.min(toMs, Math.max(fromMs, Math.floor(settings.nowMs())));
      return makeChunkId({ unixMs, shard, random });
    },
  };
}
