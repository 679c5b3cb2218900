import type { Bitmap } from '../../message/bitmap.ts';
import type { ChunkRow } from '../../store/delivery/load-chunks.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import type { ChunkOrder } from '../ordering/key-sequence.ts';
import type { Tenure } from '../ownership/tenure.ts';
import type { Lane } from './lane.ts';

/** The messages of a chunk as they were stored. */
export type StoredMessages = Omit<ChunkRow, 'id'>;

/**
 * An unfinished chunk whose key is in memory. It is `waiting` for its time, `due` in its lane's queue,
 * `loading`, or `loaded`: only then are its messages in memory. While something is decided on it, it is
 * `deciding`; it has no part in its lane's turns then.
 */
export interface PendingChunk {
  readonly id: string;
  readonly tenure: Tenure;
  readonly lane: Lane;
  readonly batch: string | null;
  readonly count: number;
  place: 'waiting' | 'due' | 'loading' | 'loaded' | 'deciding';
  /** Offsets still to do, null for all. */
  remaining: Bitmap | null;
  /** On the monotonic clock. */
  dueAtMs: number;
  /** Its batch begins at its closing, which was still to come. */
  awaitsClosing?: boolean;
  /** When `dueAtMs` became void: a read that began later says when it is due. It has a place in an order. */
  voidSinceMs?: number;
  /** Certainly without recorded outcomes: it was stored a moment ago, by this process. */
  fresh: boolean;
  /** The messages as they were stored, when they came along with a hint. */
  stored?: StoredMessages | undefined;
  work?: ChunkWork | undefined;
  /** Retries that the route has admitted, for which the chunk is being loaded. */
  admitted?: number;
  /** Of messages with ordering keys: who waits for whom. */
  order?: ChunkOrder;
  /** It has a place in the order that has not been read yet: it is decided on by itself, and sent when its turn comes. */
  unread?: boolean;
}

/** False for the key of a chunk that was forgotten, whether or not it was taken in again since. */
export function isKnown(chunk: PendingChunk): boolean {
  return chunk.tenure.chunks.get(chunk.id) === chunk;
}

/** It still waits in its lane's queue. */
export function isDue(chunk: PendingChunk): boolean {
  return chunk.place === 'due' && isKnown(chunk) && chunk.tenure.state === 'held';
}
