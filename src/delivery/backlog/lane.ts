import { Fifo } from '../../lib/fifo.ts';
import { priorityNumber } from '../../message/fields.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import type { LastError } from '../sending/route-watch.ts';
import { type DisplacedChunk, DisplacedChunks } from './displaced-chunks.ts';
import { isDue, type PendingChunk } from './pending-chunk.ts';

export interface LaneKey {
  accountId: number;
  routeId: number;
  priority: number;
}

export function laneName({ accountId, routeId, priority }: LaneKey): string {
  return `${accountId}/${routeId}/${priority}`;
}

export function isInteractive({ key }: { readonly key: { readonly priority: number } }): boolean {
  return key.priority === priorityNumber.interactive;
}

/** Chunks without ordering keys that one lane keeps in memory; what lies beyond is read when half of them are done. */
export const laneKeysMax = 10_000;

/** Messages of one lane that wait in memory for their destinations, and what the chunks weigh that they keep there. */
const asideMessagesMax = 10_000;
const asideBytesMax = 8 * 1_048_576;
/** A lane whose chunks had to leave memory still keeps so much there, to have something for each turn of its own. */
const asideMessagesKept = 1_000;
const asideBytesKept = 1_048_576;

/** What one account sends through one route with one priority: the unit between which capacity is divided. */
export class Lane {
  readonly key: LaneKey;
  /** The account's share where capacity is short. */
  weight: number;
  /** Messages that the lane may still take in this round; below zero it has taken from the next one. */
  deficit = 0;
  /** In the ring of its route. */
  active = false;
  /** In the loader's queue. */
  wantsLoad = false;
  /** Chunks of the lane in memory, wherever they are. */
  chunks = 0;
  /** Those of them whose messages have ordering keys: they are kept within other limits. */
  ordered = 0;
  /** The lowest id of the keys in the database for which there was no room. */
  missedFrom: string | undefined;
  /** Messages that are loaded and can be sent at once. */
  ready = 0;
  /** Messages handed to the provider, ever. */
  handed = 0;
  /** What an attempt of the lane last failed with. */
  lastError: LastError | undefined;
  /** Messages that wait in memory for room at their destinations, and bytes of the chunks that they belong to. */
  aside = 0;
  asideBytes = 0;
  /** Chunks with such messages for which there was no room in memory. They go before all that is due. */
  readonly displaced = new DisplacedChunks();
  readonly #due = new Fifo<PendingChunk>();
  readonly #retries = new Fifo<PendingChunk>();
  readonly #loaded = new Fifo<ChunkWork>();

  constructor(key: LaneKey, weight: number) {
    this.key = key;
    this.weight = weight;
  }

  /** So much waits for destinations that nothing more is taken before some of it has left. */
  get isCrowded(): boolean {
    const messages = this.aside + this.displaced.messages;
    const bytes = this.asideBytes + this.displaced.bytes;
    if (messages < asideMessagesMax && bytes < asideBytesMax) return false;
    return this.aside >= asideMessagesKept || this.asideBytes >= asideBytesKept;
  }

  get overflown(): boolean {
    return this.missedFrom !== undefined;
  }

  /** There was no room for a key. */
  miss(chunkId: string): void {
    if (this.missedFrom === undefined || chunkId < this.missedFrom) this.missedFrom = chunkId;
  }

  get unordered(): number {
    return this.chunks - this.ordered;
  }

  /** Takes a key whose time has come, or that was displaced. Those go first, then retries: they are older. */
  enqueue(chunk: PendingChunk, displaced?: Omit<DisplacedChunk, 'chunk'>): void {
    chunk.place = 'due';
    if (displaced) this.displaced.push({ chunk, ...displaced });
    else (chunk.remaining === null ? this.#due : this.#retries).push(chunk);
  }

  /** The next key to load. Keys that have left the queue otherwise, or whose shard was lost, are dropped on the way. */
  shiftDue(): PendingChunk | undefined {
    for (const queue of [this.displaced, this.#retries, this.#due]) {
      for (let chunk = queue.shift(); chunk; chunk = queue.shift()) {
        if (isDue(chunk)) return chunk;
      }
    }
    return undefined;
  }

  /** Keys in the queue, dropped ones included. */
  get due(): number {
    return this.displaced.length + this.#retries.length + this.#due.length;
  }

  /** `messages` more of a loaded chunk can be sent. */
  offer(work: ChunkWork, messages: number): void {
    this.ready += messages;
    if (work.offered) return;
    work.offered = true;
    this.#loaded.push(work);
  }

  /** The chunk whose messages go next. Exhausted and void ones are passed over. */
  front(): ChunkWork | undefined {
    for (;;) {
      const work = this.#loaded.peek();
      if (work === undefined || (work.ready > 0 && work.chunk.tenure.state === 'held')) return work;
      this.ready -= work.ready;
      work.ready = 0;
      work.offered = false;
      this.#loaded.shift();
    }
  }
}
