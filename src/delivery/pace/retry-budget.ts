/** What lets retries out. */
export interface RetryGate {
  /** Of so many messages whose retry is due, those that may be tried now. */
  admitRetries(wanted: number): number;
  /** When the others should ask again. */
  retriesAgainAtMs(): number;
}

/** Retries for each first attempt that failed: with what trickles, all attempts stay within 1.1 times first ones. */
const retriesPerFailure = 0.09;
/** A message that is sent proves that retries are worth making: at 10, nine of ten attempts may fail. */
const retriesPerSent = 10;
/** Retries that may be saved up. */
const savedMax = 10_000;
/** What a route begins with, so that the first trouble of a quiet one is not the last word. */
const savedAtFirst = 10;
/** With nothing saved, one retry goes this often all the same, or nobody would find out about a recovery. */
const trickleMs = { min: 1_000, max: 30_000 };
/** Refused retries ask again after this; many that wait ask less often. */
const againMs = { min: 1_000, max: 30_000 };
/** Refused messages that make the wait longer by its least. */
const refusedPerWait = 2_000;

/**
 * How many retries a route may make. While nothing succeeds, they are a tenth of the first attempts that
 * failed, and one now and then; what is saved from better times goes with the first failures. Whoever is
 * refused waits in memory, without an attempt.
 */
export class RetryBudget {
  readonly #random: () => number;
  #fromSent = savedAtFirst;
  /** Below zero for what has trickled. */
  #fromFailures = 0;
  #trickledAtMs = Number.NEGATIVE_INFINITY;
  #trickleMs = trickleMs.min;
  #refused = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** A request of which messages were sent. */
  sent(messages: number): void {
    this.#fromSent = Math.min(savedMax, this.#fromSent + messages * retriesPerSent);
    this.#fromFailures = Math.max(0, this.#fromFailures);
    this.#trickleMs = trickleMs.min;
    this.#refused = 0;
  }

  /** A request of which none was sent; so many of its messages were tried for the first time. */
  failed(firstAttempts: number): void {
    this.#fromSent /= 2;
    this.#fromFailures = Math.min(savedMax, this.#fromFailures + firstAttempts * retriesPerFailure);
  }

  /** Takes up to `wanted` retries; the answer is how many may be made. `forced`: at least one. */
  take(wanted: number, { nowMs, forced = false }: { nowMs: number; forced?: boolean }): number {
    const saved = Math.floor(this.#fromSent) + Math.max(0, Math.floor(this.#fromFailures));
    const taken = Math.min(wanted, saved);
    if (taken === 0 && wanted > 0 && (forced || nowMs - this.#trickledAtMs >= this.#trickleMs)) {
      this.#trickledAtMs = nowMs;
      this.#trickleMs = Math.min(trickleMs.max, 2 * this.#trickleMs);
      this.#fromFailures -= 1;
      this.#refused += wanted - 1;
      return 1;
    }
    const fromSent = Math.min(taken, Math.floor(this.#fromSent));
    this.#fromSent -= fromSent;
    this.#fromFailures -= taken - fromSent;
    this.#refused += wanted - taken;
    return taken;
  }

  /** So many of those that were let out came to their end without being tried: others may go in their place. */
  giveBack(messages: number): void {
    this.#fromFailures = Math.min(savedMax, this.#fromFailures + messages);
    if (this.#fromFailures >= 1) return;
    this.#trickledAtMs = Number.NEGATIVE_INFINITY;
    this.#trickleMs = Math.max(trickleMs.min, this.#trickleMs / 2);
  }

  /** When those that were refused should ask again. */
  againAtMs(nowMs: number): number {
    const waitMs = Math.min(againMs.max, againMs.min * (1 + this.#refused / refusedPerWait));
    return nowMs + waitMs * (0.5 + this.#random() / 2);
  }
}
