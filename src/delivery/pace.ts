/** How fast a route may be used by this worker. */
export interface PaceLimits {
  /** Messages per second; undefined for no limit. */
  ratePerSecond: number | undefined;
  /** Requests at once. */
  concurrency: number;
}

/** The bucket holds this long a time's messages: short, so that a pause is not followed by a burst. */
const burstSeconds = 0.1;
/** Of the slots, one in so many is kept for interactive messages, when there are that many. */
const slotsPerReserved = 16;

/** The gate of one route: a token bucket for messages and slots for requests. */
export class Pace {
  #limits: PaceLimits;
  #tokens: number;
  #filledAtMs: number;
  #inFlight = 0;

  constructor(limits: PaceLimits, nowMs: number) {
    this.#limits = limits;
    this.#filledAtMs = nowMs;
    this.#tokens = this.#burst();
  }

  /** New limits hold at once; what is in flight stays. */
  change(limits: PaceLimits, nowMs: number): void {
    this.#fill(nowMs);
    const unlimited = this.#limits.ratePerSecond === undefined;
    this.#limits = limits;
    // A bucket that had no bound begins empty: nobody counted what left a moment ago.
    this.#tokens = unlimited ? 0 : Math.min(this.#tokens, this.#burst());
  }

  get freeSlots(): number {
    return this.#limits.concurrency - this.#inFlight;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Bulk leaves a few slots to interactive messages, which then need not wait for an answer. */
  get bulkAllowed(): boolean {
    return this.freeSlots > Math.floor(this.#limits.concurrency / slotsPerReserved);
  }

  /** Messages that the rate allows now. */
  allowance(nowMs: number): number {
    if (this.#limits.ratePerSecond === undefined) return Number.POSITIVE_INFINITY;
    this.#fill(nowMs);
    return Math.floor(this.#tokens);
  }

  /** A request should carry as many if it can; else each would leave with the one message just allowed. */
  worthwhile(batchMax: number): number {
    return Math.max(1, Math.min(batchMax, Math.floor(this.#burst() / 2)));
  }

  /** How long until the rate allows so many messages, 0 for now. */
  waitMs(messages: number, nowMs: number): number {
    const { ratePerSecond } = this.#limits;
    if (ratePerSecond === undefined || this.allowance(nowMs) >= messages) return 0;
    return ((messages - this.#tokens) / ratePerSecond) * 1_000;
  }

  /** A request with so many messages leaves. */
  begin(messages: number): void {
    this.#inFlight++;
    if (this.#limits.ratePerSecond !== undefined) this.#tokens -= messages;
  }

  /** It was answered. */
  end(): void {
    this.#inFlight--;
  }

  #fill(nowMs: number): void {
    const { ratePerSecond } = this.#limits;
    if (ratePerSecond !== undefined) {
      const earned = ((nowMs - this.#filledAtMs) / 1_000) * ratePerSecond;
      this.#tokens = Math.min(this.#burst(), this.#tokens + earned);
    }
    this.#filledAtMs = nowMs;
  }

  #burst(): number {
    return Math.max(1, (this.#limits.ratePerSecond ?? Number.POSITIVE_INFINITY) * burstSeconds);
  }
}
