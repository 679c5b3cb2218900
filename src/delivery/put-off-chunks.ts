import { Fifo } from '../lib/fifo.ts';
import { isDue, type PendingChunk } from './pending-chunk.ts';

interface PutOffChunk {
  chunk: PendingChunk;
  /** Messages that waited for their destinations. */
  messages: number;
  bytes: number;
}

/** Chunks of one lane that had to leave memory while messages of them waited for their destinations. */
export class PutOffChunks {
  /** What waits in them, and what they weigh in memory. */
  messages = 0;
  bytes = 0;
  /** When the last of them left memory. */
  atMs = Number.NEGATIVE_INFINITY;
  readonly #chunks = new Fifo<PutOffChunk>();

  get length(): number {
    return this.#chunks.length;
  }

  push(put: PutOffChunk): void {
    this.#chunks.push(put);
    this.messages += put.messages;
    this.bytes += put.bytes;
  }

  shift(): PendingChunk | undefined {
    const put = this.#chunks.shift();
    this.messages -= put?.messages ?? 0;
    this.bytes -= put?.bytes ?? 0;
    return put?.chunk;
  }

  /** Forgets those that were decided on meanwhile, or whose shard was lost. */
  tidy(): void {
    for (let left = this.#chunks.length; left > 0; left--) {
      const put = this.#chunks.peek()!;
      this.shift();
      if (isDue(put.chunk)) this.push(put);
    }
  }
}
