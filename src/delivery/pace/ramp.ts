/** Each step doubles what may leave, from a sixty-fourth to all: seven levels in three seconds at least. */
const doublings = 6;
/** How long a step lasts at least: a provider that comes back feels the load of one before the next. */
const stepMs = 500;

/** After a recovery, what may leave rises in steps while answers are good, and falls back by one when they fail. */
export class Ramp {
  /** Doublings that are missing; 0 for all that the route allows. */
  #missing = 0;
  #stepAtMs = 0;
  #fellAtMs = Number.NEGATIVE_INFINITY;

  /** Of what the route allows, the part that may leave now. */
  get share(): number {
    return 1 / 2 ** this.#missing;
  }

  start(nowMs: number): void {
    this.#missing = doublings;
    this.#stepAtMs = nowMs;
    this.#fellAtMs = nowMs;
  }

  good(nowMs: number): void {
    if (this.#missing === 0 || nowMs - this.#stepAtMs < stepMs) return;
    this.#missing--;
    this.#stepAtMs = nowMs;
  }

  /** The step begins anew. Requests that left in one step and fail together count once. */
  failed(nowMs: number): void {
    if (this.#missing === 0) return;
    this.#stepAtMs = nowMs;
    if (nowMs - this.#fellAtMs < stepMs) return;
    this.#fellAtMs = nowMs;
    this.#missing = Math.min(doublings, this.#missing + 1);
  }
}
