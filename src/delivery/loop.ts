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
  readonly #running: Promise<void>;
  /** Aborted, it ends the pause before the next run. */
  #pause = new AbortController();
  #stopping = false;

  constructor(settings: LoopSettings) {
    this.#settings = settings;
    this.#running = this.#run();
  }

  /** The next run begins at once; while one is under way, as soon as that has ended. */
  wake(): void {
    this.#pause.abort();
  }

  /** Resolves when the last run has ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { everyMs, clock, runOnce, onError } = this.#settings;
    while (!this.#stopping) {
      this.#pause = new AbortController();
      try {
        await runOnce();
      } catch (error) {
        onError(error);
      }
      // It rejects only when the loop is woken or stopped.
      await clock.sleep(everyMs, this.#pause.signal).catch(() => undefined);
    }
  }
}
