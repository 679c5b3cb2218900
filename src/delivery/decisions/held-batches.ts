import type { Clock } from '../../lib/clock.ts';
import type { BatchHoldStore } from '../delivery-store.ts';

/** `paused`: its messages stay where they are. `canceled`: what is not sent yet is canceled. */
export type HeldAs = 'paused' | 'canceled';

export interface HeldBatchesSettings {
  store: BatchHoldStore;
  clock: Clock;
  /** Batches that were not held this way a moment ago. */
  onHeld: (batches: ReadonlyMap<string, HeldAs>) => void;
  /** Some batches go on: their chunks must be read. */
  onReleased: () => void;
  /** They have been read for the first time. */
  onKnown: () => void;
}

/**
 * The unfinished batches that are paused or canceled. All of them are read each time: there are few, and a
 * state that is read whole is never out of step.
 */
export class HeldBatches {
  readonly #settings: HeldBatchesSettings;
  #held = new Map<string, HeldAs>();
  #known = false;
  /** When messages of a batch were replayed: it was not canceled any more then, whatever was read before. */
  readonly #replayed = new Map<string, number>();

  constructor(settings: HeldBatchesSettings) {
    this.#settings = settings;
  }

  /** Before they have been read once, any batch may be held: nothing is sent. */
  get known(): boolean {
    return this.#known;
  }

  heldAs(batch: string): HeldAs | undefined {
    return this.#held.size === 0 ? undefined : this.#held.get(batch);
  }

  /** Messages of the batch have been replayed, which no canceled batch allows. */
  noteReplayed(batch: string): void {
    this.#replayed.set(batch, this.#settings.clock.monotonicMs());
    if (this.#held.get(batch) === 'canceled') this.#held.delete(batch);
  }

  async runOnce(): Promise<void> {
    const { store, clock } = this.#settings;
    const beganAtMs = clock.monotonicMs();
    const rows = await store.readHeldBatches();
    const before = this.#held;
    this.#held = new Map();
    for (const { id, canceled } of rows) {
      const stale = canceled && (this.#replayed.get(id) ?? Number.NEGATIVE_INFINITY) >= beganAtMs;
      if (!stale) this.#held.set(id, canceled ? 'canceled' : 'paused');
    }
    for (const [id, atMs] of this.#replayed) if (atMs < beganAtMs) this.#replayed.delete(id);
    const added = new Map([...this.#held].filter(([id, as]) => before.get(id) !== as));
    if (added.size > 0) this.#settings.onHeld(added);
    // A canceled batch leaves the list when it is done, or when some of it is replayed.
    if ([...before.keys()].some((id) => !this.#held.has(id))) this.#settings.onReleased();
    if (this.#known) return;
    this.#known = true;
    this.#settings.onKnown();
  }
}
