import type { LaneKey } from './lane.ts';

/**
 * Word of a chunk that was committed a moment ago by this process. It only saves time: whoever does not get
 * it, or may not trust it any more, finds the chunk by reading.
 */
export interface Hint extends LaneKey {
  shard: number;
  chunkId: string;
  batch: string | null;
  count: number;
  /** On the monotonic clock, after the COMMIT was answered. */
  committedAtMs: number;
  /** The messages as they were stored, where they are few. */
  stored?: { codec: number; payload: Uint8Array };
}

/** An older hint may speak of a chunk that has been delivered and forgotten since. */
export const hintAgeMsMax = 2_000;
