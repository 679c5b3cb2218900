import type { TemplatePins } from '../../message/templates/pins.ts';
import type { LaneKey } from './lane.ts';

/**
 * Word of a chunk that this process has just committed. It only saves time: whoever does not get it, or may
 * not trust it any more, finds the chunk by reading.
 */
export interface Hint extends LaneKey {
  shard: number;
  chunkId: string;
  batch: string | null;
  count: number;
  /**
   * On the monotonic clock, before the first try to store the chunk. A worker that owned the shard by then is
   * the only one that can have seen it; the answer to a COMMIT may be late by any time.
   */
  beganAtMs: number;
  /** The messages as they were stored, where they are few. */
  codec?: number;
  payload?: Uint8Array;
  /** Some of the messages have times of their own. */
  timed?: boolean;
  /** What the templates mean that they name. */
  templates?: TemplatePins | undefined;
  /** The messages have ordering keys: who waits for whom is to be read. */
  ordered?: boolean;
}

/** An older hint may speak of a chunk that has been delivered and forgotten since. */
export const hintAgeMsMax = 2_000;

/** Longer payloads are read when their turn comes. */
export const hintPayloadBytesMax = 65_536;
