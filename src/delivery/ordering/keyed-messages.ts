import type { ChunkOrder } from './key-sequence.ts';

/** Of a loaded chunk of messages with ordering keys: who waits for an earlier one of its key, and for whose end others wait. */
export class KeyedMessages {
  readonly #order: ChunkOrder;
  readonly #waiting = new Set<number>();
  /** Came to their end, which is not recorded yet; a message of this chunk waits for it. */
  readonly #awaited = new Set<number>();
  /** Came to their end since the last call of `takeSettled`. */
  #settled: number[] = [];
  /** Replayed before it was recorded that they had come to their end. */
  readonly #replayed = new Set<number>();
  /** Had come to their end before the chunk was loaded, which its place in the order did not tell. */
  settledBefore: number[] = [];

  constructor(order: ChunkOrder) {
    this.#order = order;
  }

  get count(): number {
    return this.#waiting.size;
  }

  get awaited(): boolean {
    return this.#awaited.size > 0;
  }

  /** True for a message that has to wait; it is kept here until it is released. */
  keep(offset: number): boolean {
    if (!this.#order.isWaiting(offset)) return false;
    this.#waiting.add(offset);
    return true;
  }

  /** False for a message that was not kept here. */
  release(offset: number): boolean {
    return this.#waiting.delete(offset);
  }

  noteSettledBefore(offset: number): void {
    if (!this.#order.isSettled(offset)) this.settledBefore.push(offset);
  }

  /** A message that does not wait has no final state: if its place in the order says otherwise, it was replayed. */
  noteOpen(offset: number): void {
    this.#order.sequence.reopen(this.#order, offset);
  }

  noteReplay(offset: number): void {
    if (!this.#order.sequence.reopen(this.#order, offset)) this.#replayed.add(offset);
  }

  /** A message has come to its end. True if another one waits for it to be recorded. */
  settle(offset: number): boolean {
    this.#settled.push(offset);
    const follower = this.#order.sequence.followerOf(this.#order, offset);
    if (follower?.order === this.#order) this.#awaited.add(offset);
    return follower !== undefined;
  }

  /** Messages that came to their end since the last call. */
  takeSettled(): number[] {
    const settled = this.#settled;
    this.#settled = [];
    return settled;
  }

  /** Their end is recorded. */
  noteRecorded(offsets: readonly number[]): void {
    for (const offset of offsets) {
      this.#awaited.delete(offset);
      if (this.#replayed.delete(offset)) this.#order.sequence.reopen(this.#order, offset);
    }
  }
}
