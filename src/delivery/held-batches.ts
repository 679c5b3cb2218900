import type { BatchHoldStore } from './delivery-store.ts';

/** `paused`: its messages stay where they are. `canceled`: what is not sent yet is canceled. */
export type HeldAs = 'paused' | 'canceled';

export interface HeldBatchesSettings {
  store: BatchHoldStore;
  /** Batches that were not held this way a moment ago. */
  onHeld: (batches: ReadonlyMap<string, HeldAs>) => void;
  /** Some batches go on: their chunks must be read. */
  onReleased: () => void;
}

/**
 * The unfinished batches that are paused or canceled. All of them are read each time: there are few, and a
 * state that is read whole is never out of step.
 */
export class HeldBatches {
  readonly #settings: HeldBatchesSettings;
  #held = new Map<string, HeldAs>();

  constructor(settings: HeldBatchesSettings) {
    this.#settings = settings;
  }

  heldAs(batch: string): HeldAs | undefined {
    return this.#held.size === 0 ? undefined : this.#held.get(batch);
  }

  async runOnce(): Promise<void> {
    const rows = await this.#settings.store.readHeldBatches();
    const before = this.#held;
    this.#held = new Map(rows.map(({ id, canceled }) => [id, canceled ? 'canceled' : 'paused']));
    const added = new Map([...this.#held].filter(([id, as]) => before.get(id) !== as));
    if (added.size > 0) this.#settings.onHeld(added);
    // A canceled batch leaves the list when it is done, or when some of it is replayed.
    if ([...before.keys()].some((id) => !this.#held.has(id))) this.#settings.onReleased();
  }
}
