import type { Clock } from './clock.ts';

export interface BucketPace {
  ratePerSecond: number;
  /** Tokens that a bucket holds at most; a new one is full. */
  burst: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** A token bucket for each key, of at most `bucketsMax` keys: beyond, the one that was made first is forgotten. */
export class TokenBuckets {
  readonly #clock: Clock;
  readonly #bucketsMax: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(settings: { clock: Clock; bucketsMax: number }) {
    this.#clock = settings.clock;
    this.#bucketsMax = settings.bucketsMax;
  }

  /** Takes a token. 0 when there was one, else the milliseconds until there is. */
  take(key: string, pace: BucketPace): number {
    const bucket = this.#filled(key, pace);
    if (bucket.tokens < 1) return waitMs(bucket, pace);
    bucket.tokens -= 1;
    return 0;
  }

  /** 0 when there is a token, else the milliseconds until there is. */
  look(key: string, pace: BucketPace): number {
    if (!this.#buckets.has(key)) return 0;
    const bucket = this.#filled(key, pace);
    return bucket.tokens < 1 ? waitMs(bucket, pace) : 0;
  }

  #filled(key: string, pace: BucketPace): Bucket {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#buckets.get(key);
    if (known) {
      const gained = ((nowMs - known.atMs) / 1_000) * pace.ratePerSecond;
      known.tokens = Math.min(pace.burst, known.tokens + gained);
      known.atMs = nowMs;
      return known;
    }
    const bucket = { tokens: pace.burst, atMs: nowMs };
    if (this.#buckets.size >= this.#bucketsMax) this.#buckets.delete(this.#buckets.keys().next().value!);
    this.#buckets.set(key, bucket);
    return bucket;
  }
}

function waitMs({ tokens }: Bucket, { ratePerSecond }: BucketPace): number {
  return ((1 - tokens) / ratePerSecond) * 1_000;
}
