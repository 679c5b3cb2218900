import type { Clock } from './clock.ts';

/** Timers of Node bear 24 days, and take more for none: a later moment is looked at again before its time. */
const timerMsMax = 60_000;

/** Rings once, at the earliest of the moments that were asked for; whoever hears it asks for the next. */
export class Alarm {
  readonly #clock: Pick<Clock, 'after' | 'monotonicMs'>;
  readonly #onRing: () => void;
  #callOff: (() => void) | undefined;
  #atMs = Number.POSITIVE_INFINITY;

  constructor(clock: Pick<Clock, 'after' | 'monotonicMs'>, onRing: () => void) {
    this.#clock = clock;
    this.#onRing = onRing;
  }

  /** It may ring before, when that is far away. */
  ringAt(atMs: number): void {
    if (atMs >= this.#atMs) return;
    this.#callOff?.();
    this.#atMs = atMs;
    const delayMs = Math.min(Math.max(1, atMs - this.#clock.monotonicMs()), timerMsMax);
    this.#callOff = this.#clock.after(delayMs, () => {
      this.#callOff = undefined;
      this.#atMs = Number.POSITIVE_INFINITY;
      this.#onRing();
    });
  }

  /** Silent from now on. */
  callOff(): void {
    this.#callOff?.();
    this.#atMs = Number.NEGATIVE_INFINITY;
  }
}
