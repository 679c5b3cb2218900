import { Fifo } from '../../lib/fifo.ts';
import { isDue, type PendingChunk } from './pending-chunk.ts';

export interface DisplacedChunk {
  chunk: PendingChunk;
  /** Messages that waited for their destinations, by what matched those. */
  waiting: ReadonlyMap<string, number>;
  bytes: number;
}

/** Chunks of one lane that had to leave memory while messages of them waited for their destinations. */
export class DisplacedChunks {
  /** What waits in them, and what they weigh in memory. */
  messages = 0;
  bytes = 0;
  /** When the last of them left memory. */
  atMs = Number.NEGATIVE_INFINITY;
  readonly #chunks = new Fifo<DisplacedChunk>();
  readonly #byMatch = new Map<string, number>();

  get length(): number {
    return this.#chunks.length;
  }

  /** Messages by what matched their destinations. */
  get byMatch(): ReadonlyMap<string, number> {
    return this.#byMatch;
  }

  push(displaced: DisplacedChunk): void {
    this.#chunks.push(displaced);
    this.#count(displaced, 1);
  }

  shift(): PendingChunk | undefined {
    const displaced = this.#chunks.shift();
    if (displaced) this.#count(displaced, -1);
    return displaced?.chunk;
  }

  /** Forgets those that were decided on meanwhile, or whose shard was lost. */
  tidy(): void {
    for (let left = this.#chunks.length; left > 0; left--) {
      const displaced = this.#chunks.peek()!;
      this.shift();
      if (isDue(displaced.chunk)) this.push(displaced);
    }
  }

  #count({ waiting, bytes }: DisplacedChunk, sign: 1 | -1): void {
    this.bytes += sign * bytes;
    for (const [match, messages] of waiting) {
      this.messages += sign * messages;
      const left = (this.#byMatch.get(match) ?? 0) + sign * messages;
      if (left > 0) this.#byMatch.set(match, left);
      else this.#byMatch.delete(match);
    }
  }
}
