import type { Clock } from '../../lib/clock.ts';

const everyMs = 100;
/** Long enough that monitoring, which looks every 15 s or so, misses none. */
const keptMs = 20_000;
const slots = keptMs / everyMs;

/** How late the event loop comes to what is due. */
export class LoopLag {
  readonly #latest = new Float64Array(slots);
  readonly #stop: () => void;
  #turns = 0;

  constructor(clock: Clock) {
    let dueAtMs = clock.monotonicMs() + everyMs;
    const timer = setInterval(() => {
      const nowMs = clock.monotonicMs();
      this.#latest[this.#turns++ % slots] = Math.max(0, nowMs - dueAtMs);
      dueAtMs = nowMs + everyMs;
    }, everyMs);
    timer.unref();
    this.#stop = () => clearInterval(timer);
  }

  /** The longest over the last 20 seconds. */
  get seconds(): number {
    return Math.max(...this.#latest) / 1_000;
  }

  stop(): void {
    this.#stop();
  }
}
