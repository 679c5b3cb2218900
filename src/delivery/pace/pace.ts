/** The bucket holds this long a time's messages: short, so that a pause is not followed by a burst. */
const burstSeconds = 0.1;

/** How fast messages may leave: a token bucket. */
export class Pace {
  #ratePerSecond: number | undefined;
  #tokens: number;
  #filledAtMs: number;

  /** `ratePerSecond` is undefined for no limit. */
  constructor(ratePerSecond: number | undefined, nowMs: number) {
    this.#ratePerSecond = ratePerSecond;
    this.#filledAtMs = nowMs;
    this.#tokens = this.#burst();
  }

  /** A new rate holds at once. */
  change(ratePerSecond: number | undefined, nowMs: number): void {
    if (ratePerSecond === this.#ratePerSecond) return;
    this.#fill(nowMs);
    // A bucket that had no bound begins empty: nobody counted what left a moment ago.
    const tokens = this.#ratePerSecond === undefined ? 0 : this.#tokens;
    this.#ratePerSecond = ratePerSecond;
    this.#tokens = Math.min(tokens, this.#burst());
  }

  /** Messages that may leave now. */
  allowance(nowMs: number): number {
    if (this.#ratePerSecond === undefined) return Number.POSITIVE_INFINITY;
    this.#fill(nowMs);
    return Math.max(0, Math.floor(this.#tokens));
  }

  /** A request should carry as many if it can; else each would leave with the one message just allowed. */
  worthwhile(batchMax: number): number {
    return Math.max(1, Math.min(batchMax, Math.floor(this.#burst() / 2)));
  }

  /** How long until the rate allows so many messages, 0 for now; Infinity where it is 0. */
  waitMs(messages: number, nowMs: number): number {
    if (this.#ratePerSecond === undefined || this.allowance(nowMs) >= messages) return 0;
    return ((messages - this.#tokens) / this.#ratePerSecond) * 1_000;
  }

  /** Nothing is left to remember of what has left. */
  isFull(nowMs: number): boolean {
    if (this.#ratePerSecond === undefined) return true;
    this.#fill(nowMs);
    return this.#tokens >= this.#burst();
  }

  /** So many messages leave. */
  take(messages: number): void {
    if (this.#ratePerSecond !== undefined) this.#tokens -= messages;
  }

  /** So many of those did not leave after all. */
  giveBack(messages: number): void {
    if (this.#ratePerSecond !== undefined) this.#tokens = Math.min(this.#burst(), this.#tokens + messages);
  }

  #fill(nowMs: number): void {
    if (this.#ratePerSecond !== undefined) {
      const earned = ((nowMs - this.#filledAtMs) / 1_000) * this.#ratePerSecond;
      this.#tokens = Math.min(this.#burst(), this.#tokens + earned);
    }
    this.#filledAtMs = nowMs;
  }

  #burst(): number {
    if (this.#ratePerSecond === 0) return 0;
    return Math.max(1, (this.#ratePerSecond ?? Number.POSITIVE_INFINITY) * burstSeconds);
  }
}
