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

/** What chance adds to a scheduled wait, at most: enough to part those that failed together, and little beside the schedule. */
const scheduledJitter = 0.2;

/** The wait after try `attempt` by a list of waits, whose last goes for all that follow, and up to a fifth longer. */
export function scheduledWait(schedule: {
  attempt: number;
  waitsMs: readonly number[];
  random: () => number;
}): number {
  const { attempt, waitsMs, random } = schedule;
  const waitMs = waitsMs[Math.min(Math.max(attempt, 1), waitsMs.length) - 1] ?? 0;
  return waitMs * (1 + scheduledJitter * random());
}
