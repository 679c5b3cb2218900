/** The window slides in so many steps. */
const steps = 10;

/** How many requests ended within the last `windowMs`, to a tenth of it, and how many of them failed. */
export class FailureWindow {
  readonly #stepMs: number;
  readonly #requests = new Uint32Array(steps);
  readonly #failures = new Uint32Array(steps);
  /** The number of the step in which the last request ended. */
  #step = -1;

  constructor(windowMs: number) {
    this.#stepMs = windowMs / steps;
  }

  note(failed: boolean, nowMs: number): void {
    const step = Math.floor(nowMs / this.#stepMs);
    // What the steps in between held is out of the window.
    for (let old = Math.max(this.#step + 1, step - steps + 1, 0); old <= step; old++) {
      this.#requests[old % steps] = 0;
      this.#failures[old % steps] = 0;
    }
    this.#step = Math.max(this.#step, step);
    this.#requests[this.#step % steps]!++;
    if (failed) this.#failures[this.#step % steps]!++;
  }

  /** As of the last request: enough of them ended, and too many failed. */
  exceeds({ requestsMin, failureRatio }: { requestsMin: number; failureRatio: number }): boolean {
    let requests = 0;
    let failures = 0;
    for (let step = 0; step < steps; step++) {
      requests += this.#requests[step]!;
      failures += this.#failures[step]!;
    }
    return requests >= requestsMin && failures >= requests * failureRatio;
  }
}
