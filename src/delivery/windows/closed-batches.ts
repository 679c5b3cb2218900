export interface ClosedBatchesSettings {
  /** By the clock of the database, which may be set. */
  nowMs: () => number;
  /** The windows of these were open a moment ago, or nobody had looked at them. */
  onClosed: (batches: ReadonlySet<string>) => void;
  /** Some are open again: their chunks must be read. */
  onOpened: () => void;
}

/** One more takes the place of the one that was noted first, whose chunks are then looked at again. */
const batchesMax = 100_000;

/**
 * Batches whose window is closed, as far as this worker has come across them. Nothing of them is kept in memory, and nothing is written
 * of them: like those of a paused batch, their chunks stay as they are in `pending`, and are read again when the window opens.
 */
export class ClosedBatches {
  readonly #settings: ClosedBatchesSettings;
  /** Until when. */
  readonly #untilMs = new Map<string, number>();
  #nextMs = Number.POSITIVE_INFINITY;
  #noted = new Set<string>();

  constructor(settings: ClosedBatchesSettings) {
    this.#settings = settings;
  }

  has(batch: string): boolean {
    return this.#untilMs.size > 0 && this.#untilMs.has(batch);
  }

  /** The window of the batch is closed until then. */
  note(batch: string, untilMs: number): void {
    const isNew = !this.#untilMs.has(batch);
    this.#untilMs.set(batch, untilMs);
    this.#nextMs = Math.min(this.#nextMs, untilMs);
    if (!isNew) return;
    if (this.#untilMs.size > batchesMax) this.#untilMs.delete(this.#untilMs.keys().next().value!);
    // Once for all that a read brings: what is in memory is looked through for them.
    if (this.#noted.size === 0) queueMicrotask(() => this.#tell());
    this.#noted.add(batch);
  }

  /** Lets those go whose time has come. */
  runOnce(): void {
    const nowMs = this.#settings.nowMs();
    if (nowMs < this.#nextMs) return;
    this.#nextMs = Number.POSITIVE_INFINITY;
    for (const [batch, untilMs] of this.#untilMs) {
      if (untilMs <= nowMs) this.#untilMs.delete(batch);
      else this.#nextMs = Math.min(this.#nextMs, untilMs);
    }
    this.#settings.onOpened();
  }

  #tell(): void {
    const noted = this.#noted;
    this.#noted = new Set();
    this.#settings.onClosed(noted);
  }
}
