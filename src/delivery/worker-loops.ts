import { Loop, type LoopSettings } from './loop.ts';

/** How often each is run, in the order in which they begin. */
export const loopEveryMs = {
  reading: 250,
  /** A shard handed over is idle for two such turns at most. */
  owning: 200,
  /** Early, as nothing is sent before it is known what is held. A pause and a cancellation take effect within a second: this, and what is under way. */
  holding: 250,
  suppressing: 250,
  /** So does a decision. */
  deciding: 250,
  receiving: 250,
  opening: 100,
  sharing: 250,
  ordering: 250,
  forgetting: 1_000,
  tidying: 1_000,
  counting: 1_000,
};

type LoopName = keyof typeof loopEveryMs;

/** What a worker does again and again, until it stops. */
export class WorkerLoops {
  readonly #settings: Pick<LoopSettings, 'clock' | 'onError'>;
  #loops: Partial<Record<LoopName, Loop>> = {};

  constructor(settings: Pick<LoopSettings, 'clock' | 'onError'>) {
    this.#settings = settings;
  }

  start(runs: Record<LoopName, LoopSettings['runOnce']>): void {
    const { clock, onError } = this.#settings;
    for (const [name, everyMs] of Object.entries(loopEveryMs) as [LoopName, number][]) {
      this.#loops[name] = new Loop({ everyMs, clock, onError, runOnce: runs[name] });
    }
  }

  /** Its next run begins at once, if it has been started. */
  wake(name: LoopName): void {
    this.#loops[name]?.wake();
  }

  /** Resolves when none of them runs any more. */
  async stop(): Promise<void> {
    await Promise.all(Object.values(this.#loops).map((loop) => loop.stop()));
  }
}
