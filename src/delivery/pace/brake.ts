/** What is left of the requests at once after the provider asked for a slower pace. */
const slowerFactor = 0.7;
/** Where one request at a time is still too many: the first pause between two, doubled up to the longest. */
const pauseMs = { min: 100, max: 5_000 };
/**
 * The longest time that one answer stops the others for. Providers also refuse a single recipient for an hour;
 * the message then waits that long, and the others are tried again after this.
 */
const blockMsMax = 60_000;

export interface Refusal {
  /** When the refused request left. */
  beganAtMs: number;
  nowMs: number;
  retryAfterMs: number | undefined;
  random: () => number;
}

/**
 * How many requests at once a provider bears, of one account or of a whole route: each refusal takes a part
 * away, but once a round trip at most, for the requests that left before it could not know; each answer that is
 * good gives a little back, one request more a round trip (AIMD, as TCP does it: Jacobson, SIGCOMM 1988).
 * Without a refusal it holds nothing back.
 */
export class Brake {
  /** Requests on their way since this brake is there. */
  inFlight = 0;
  #window = Number.POSITIVE_INFINITY;
  #slowedAtMs = Number.NEGATIVE_INFINITY;
  #blockedUntilMs = Number.NEGATIVE_INFINITY;
  #pauseMs = 0;

  /** Requests at once that it allows; Infinity for any number. */
  get window(): number {
    return Math.floor(this.#window);
  }

  /** Until then nothing leaves. */
  get blockedUntilMs(): number {
    return this.#blockedUntilMs;
  }

  /** Requests that may begin now. */
  room(nowMs: number): number {
    return nowMs < this.#blockedUntilMs ? 0 : Math.floor(this.#window) - this.inFlight;
  }

  /** It holds nothing back. */
  isReleased(nowMs: number): boolean {
    return this.#window === Number.POSITIVE_INFINITY && nowMs >= this.#blockedUntilMs;
  }

  /** The provider asks for a slower pace. `used`: requests at once when this was answered. */
  refused({ beganAtMs, nowMs, retryAfterMs, random }: Refusal, used: number): void {
    if (retryAfterMs !== undefined) this.#block(nowMs + Math.min(retryAfterMs, blockMsMax));
    if (beganAtMs < this.#slowedAtMs) return;
    const pausing = Math.min(this.#window, used) * slowerFactor < 1;
    this.slow({ beganAtMs, nowMs }, used);
    if (!pausing || retryAfterMs !== undefined) return;
    this.#pauseMs = Math.min(pauseMs.max, Math.max(pauseMs.min, 2 * this.#pauseMs));
    this.#block(nowMs + this.#pauseMs * (1 - random() / 2));
  }

  /** One step slower, unless that has just been done. */
  slow({ beganAtMs, nowMs }: { beganAtMs: number; nowMs: number }, used: number, least = 1): void {
    if (beganAtMs < this.#slowedAtMs) return;
    this.#slowedAtMs = nowMs;
    this.#window = Math.max(least, Math.min(this.#window, Math.max(1, used)) * slowerFactor);
  }

  /** `limit`: requests at once that are allowed otherwise; from there on the brake is off. */
  good(limit: number): void {
    this.#pauseMs = 0;
    if (this.#window === Number.POSITIVE_INFINITY) return;
    this.#window += 1 / this.#window;
    if (this.#window >= limit) this.#window = Number.POSITIVE_INFINITY;
  }

  #block(untilMs: number): void {
    this.#blockedUntilMs = Math.max(this.#blockedUntilMs, untilMs);
  }
}
