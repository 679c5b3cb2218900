/**
 * A provider's rate limit: a bucket of one second's messages. A request is let in while the bucket is not
 * empty and may overdraw it, so that a batch larger than the limit passes, and is paid for by waiting.
 */
export class ProviderLimit {
  readonly #perSecond: number;
  #tokens: number;
  #atMs = 0;

  /** 0 is no limit. */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
  }

  /** Takes `messages`, or returns the milliseconds until the next request is let in. */
  take(messages: number, nowMs: number): number {
    if (this.#perSecond === 0) return 0;
    const earned = ((nowMs - this.#atMs) / 1_000) * this.#perSecond;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + earned);
    this.#atMs = nowMs;
    if (this.#tokens <= 0) return Math.max(1, (-this.#tokens / this.#perSecond) * 1_000);
    this.#tokens -= messages;
    return 0;
  }
}
