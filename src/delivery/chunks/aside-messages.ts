import type { Lane } from '../backlog/lane.ts';

/** Messages of one chunk that wait in memory for room at their destinations. Their lane counts them all. */
export class AsideMessages {
  readonly #lane: Lane;
  readonly #chunkBytes: number;
  /** With what matched their destinations. */
  #offsets: Map<number, string> | undefined;

  constructor(lane: Lane, chunkBytes: number) {
    this.#lane = lane;
    this.#chunkBytes = chunkBytes;
  }

  get count(): number {
    return this.#offsets?.size ?? 0;
  }

  has(offset: number): boolean {
    return this.#offsets?.has(offset) ?? false;
  }

  /** By what matched their destinations, how many. */
  byMatch(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const match of this.#offsets?.values() ?? []) counts.set(match, (counts.get(match) ?? 0) + 1);
    return counts;
  }

  add(offset: number, match: string): void {
    this.#offsets ??= new Map();
    if (this.#offsets.size === 0) this.#lane.asideBytes += this.#chunkBytes;
    this.#offsets.set(offset, match);
    this.#lane.aside++;
  }

  /** False for one that does not wait. */
  delete(offset: number): boolean {
    if (!this.#offsets?.delete(offset)) return false;
    this.#lane.aside--;
    if (this.#offsets.size === 0) this.#lane.asideBytes -= this.#chunkBytes;
    return true;
  }

  /** None of them waits any more; they are given in the order in which they were put aside. */
  clear(): number[] {
    const offsets = [...(this.#offsets?.keys() ?? [])];
    for (const offset of offsets) this.delete(offset);
    return offsets;
  }
}
