import type { Clock } from '../lib/clock.ts';

export interface LoopSettings {
  everyMs: number;
  clock: Clock;
  /** A promise that it answers is awaited. */
  runOnce: () => unknown;
  onError: (error: unknown) => void;
}

/** Runs a piece of work at once and then again and again, never twice at the same time. */
export class Loop {
  readonly #settings: LoopSettings;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;

  constructor(settings: LoopSettings) {
    this.#settings = settings;
    this.#running = this.#run();
  }

  /** Resolves when the last run has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { everyMs, clock, runOnce, onError } = this.#settings;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await runOnce();
      } catch (error) {
        onError(error);
      }
      // It rejects only when the loop is stopped.
      await clock.sleep(everyMs, signal).catch(() => undefined);
    }
  }
}
