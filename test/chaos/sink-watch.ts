interface Arrival {
  id: string;
  /** Unix milliseconds. */
  at: number;
}

/** A message that a sink got again. */
export interface Repeat {
  id: string;
  /** When it had come before, the last time, and when it came again. */
  beforeAt: number;
  at: number;
}

const pageLimit = 10_000;

/** Follows a sink's ledger: every message in the order of its arrival. */
export class SinkWatch {
  readonly #url: string;
  readonly #lastAt = new Map<string, number>();
  readonly repeats: Repeat[] = [];
  /** Messages that have arrived, until somebody takes those out that are recorded. */
  readonly unrecorded = new Set<string>();
  #next = 0;
  #last = Promise.resolve();

  constructor(url: string) {
    this.#url = url;
  }

  get distinct(): number {
    return this.#lastAt.size;
  }

  has(id: string): boolean {
    return this.#lastAt.has(id);
  }

  /** Whether a message that `matches` arrived since `atMs` and is still among the unrecorded. */
  hasUnrecordedSince(atMs: number, matches: (id: string) => boolean): boolean {
    for (const id of this.unrecorded) if (this.#lastAt.get(id)! >= atMs && matches(id)) return true;
    return false;
  }

  /** Reads what has come since, one reading at a time. */
  pull(): Promise<void> {
    this.#last = this.#last.catch(() => {}).then(() => this.#pull());
    return this.#last;
  }

  async #pull(): Promise<void> {
    for (;;) {
      const response = await fetch(`${this.#url}/arrivals?after=${this.#next}&limit=${pageLimit}`);
      const page = (await response.json()) as { data: Arrival[]; next: number; missed: number };
      if (page.missed > 0) throw new Error(`the sink forgot ${page.missed} arrivals before they were read`);
      if (page.data.length === 0) return;
      this.#next = page.next;
      for (const arrival of page.data) {
        const beforeAt = this.#lastAt.get(arrival.id);
        if (beforeAt !== undefined) this.repeats.push({ id: arrival.id, beforeAt, at: arrival.at });
        this.#lastAt.set(arrival.id, arrival.at);
        this.unrecorded.add(arrival.id);
      }
    }
  }
}
