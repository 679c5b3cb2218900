export interface Arrival {
  id: string;
  /** Unix milliseconds with decimals. */
  at: number;
}

/** The last messages with the moment of their arrival, numbered from 1. */
export class Arrivals {
  readonly #ids: string[];
  readonly #at: Float64Array;
  #count = 0;

  constructor(kept: number) {
    this.#ids = new Array<string>(kept).fill('');
    this.#at = new Float64Array(kept);
  }

  add(id: string, at: number): void {
    const kept = this.#at.length;
    if (kept === 0) return;
    const slot = this.#count % kept;
    this.#ids[slot] = id;
    this.#at[slot] = at;
    this.#count += 1;
  }

  /**
   * Arrivals from number `after + 1` on; `next` is the `after` of the next read, `missed` how many had been
   * overwritten before they were read.
   */
  read(after: number, limit: number): { data: Arrival[]; next: number; missed: number } {
    const kept = this.#at.length;
    const from = Math.min(Math.max(after, this.#count - kept), this.#count);
    const to = Math.min(this.#count, from + limit);
    const data: Arrival[] = [];
    for (let n = from; n < to; n++) data.push({ id: this.#ids[n % kept]!, at: this.#at[n % kept]! });
    return { data, next: to, missed: Math.max(0, from - after) };
  }
}
