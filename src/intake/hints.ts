import type { TemplatePins } from '../message/templates/pins.ts';

/**
 * What intake tells the deliveries of the same process about a chunk that is durable now, so that they need
 * not find it by reading. `payload` comes along for small chunks: then it is not read back either.
 */
export interface PendingHint {
  shard: number;
  chunkId: string;
  accountId: number;
  routeId: number;
  priority: number;
  batch: string | null;
  count: number;
  /**
   * On the monotonic clock, before the first try to store it. A COMMIT whose answer is late or was lost may have
   * been delivered long ago: an old hint is not followed.
   */
  beganAtMs: number;
  codec?: number;
  payload?: Uint8Array;
  /** Some of the messages have times of their own. */
  timed?: boolean;
  /** What the templates mean that they name. */
  templates?: TemplatePins | undefined;
  /** The messages have ordering keys. */
  ordered?: boolean;
}

export interface PendingHints {
  push(hints: PendingHint[]): void;
  /** A batch that waited for its closing begins: its chunks have become due, and are to be read. */
  released(batch: string): void;
}
