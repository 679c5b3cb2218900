import type { Clock } from '../../lib/clock.ts';
import { heldDigest } from '../../store/delivery/read-held-batches.ts';
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
  /** They have been read, for the first time or since they were forgotten. */
  onKnown: () => void;
}

/**
 * The unfinished batches that are paused or canceled. They are read whole, and again when they are others than those that
 * were read: a digest of all of them says so, which the database adds up. So what is known is never out of step, whenever a
 * pause was committed, and however many are paused, a turn in which nothing has changed costs one row: with 10,000 that are
 * paused, a twentieth of this thread's time that reading them takes, and half of the statement's (measured on a busy machine).
 */
export class HeldBatches {
  readonly #settings: HeldBatchesSettings;
  #held = new Map<string, HeldAs>();
  #known = false;
  /** How often what was known has been forgotten. */
  #forgotten = 0;
  /** Of the batches that are held, while they are those that were read. */
  #digest: string | undefined;
  /** When messages of a batch were replayed: it was not canceled any more then, whatever was read before. */
  readonly #replayed = new Map<string, number>();
  /** When shards were claimed last. */
  #claimedAtMs = Number.NEGATIVE_INFINITY;

  constructor(settings: HeldBatchesSettings) {
    this.#settings = settings;
  }

  /** Before they have been read, any batch may be held: nothing is sent. */
  get known(): boolean {
    return this.#known;
  }

  heldAs(batch: string): HeldAs | undefined {
    return this.#held.size === 0 ? undefined : this.#held.get(batch);
  }

  /** The lease had run out: whatever was held meanwhile is not known. What is being read may have been read before. */
  forget(): void {
    this.#known = false;
    this.#forgotten++;
  }

  /** Messages of the batch have been replayed, which no canceled batch allows. */
  noteReplayed(batch: string): void {
    this.#replayed.set(batch, this.#settings.clock.monotonicMs());
    this.#digest = undefined;
    if (this.#held.get(batch) === 'canceled') this.#held.delete(batch);
  }

  /**
   * Shards were claimed. Their last owner may have replayed messages of a batch since it was read here that the batch is canceled:
   * until it is read again, it stays where it is.
   */
  noteClaimed(): void {
    this.#claimedAtMs = this.#settings.clock.monotonicMs();
    for (const [id, as] of this.#held) {
      if (as !== 'canceled') continue;
      this.#held.set(id, 'paused');
      this.#digest = undefined;
    }
  }

  async runOnce(): Promise<void> {
    const { store } = this.#settings;
    const forgotten = this.#forgotten;
    const isSame = this.#digest !== undefined && (await store.readHeldDigest()) === this.#digest;
    if (!isSame) await this.#read();
    if (this.#known || forgotten !== this.#forgotten) return;
    this.#known = true;
    this.#settings.onKnown();
  }

  async #read(): Promise<void> {
    const { store, clock } = this.#settings;
    const beganAtMs = clock.monotonicMs();
    const rows = await store.readHeldBatches();
    const before = this.#held;
    this.#held = new Map();
    this.#digest = heldDigest(rows);
    for (const { id, canceled } of rows) {
      const stale = canceled && (this.#replayed.get(id) ?? Number.NEGATIVE_INFINITY) >= beganAtMs;
      const doubtful = canceled && this.#claimedAtMs >= beganAtMs;
      if (stale || doubtful) this.#digest = undefined;
      if (!stale) this.#held.set(id, canceled && !doubtful ? 'canceled' : 'paused');
    }
    for (const [id, atMs] of this.#replayed) if (atMs < beganAtMs) this.#replayed.delete(id);
    const added = new Map([...this.#held].filter(([id, as]) => before.get(id) !== as));
    if (added.size > 0) this.#settings.onHeld(added);
    // A canceled batch leaves the list when it is done, or when some of it is replayed.
    if ([...before.keys()].some((id) => !this.#held.has(id))) this.#settings.onReleased();
  }
}
