export interface BackoffSettings {
  /** Tries made so far, 1 or more. */
  attempt: number;
  /** Upper bound of the wait after the first try. */
  minMs: number;
  /** Upper bound of every wait. */
  maxMs: number;
  /** 0 (included) to 1 (excluded). */
  random: () => number;
}

/**
 * Capped exponential backoff with full jitter: evenly between 0 and `minMs * 2^(attempt - 1)`, at most `maxMs`.
 * Full jitter needs the fewest tries to get contending clients through: "Exponential Backoff And Jitter",
 * AWS Architecture Blog, 2015.
 */
export function backoff({ attempt, minMs, maxMs, random }: BackoffSettings): number {
  // 2^31 times a millisecond is 24 days: beyond every cap, and still exact.
  const doublings = Math.min(Math.max(attempt, 1) - 1, 31);
  return random() * Math.min(maxMs, minMs * 2 ** doublings);
}
