/** Moments (milliseconds, monotonic) at which something succeeded, and what was met otherwise. */
export class Tally {
  readonly successes: number[] = [];
  /** By what the client saw: `503 unavailable: the database is not reachable`. */
  readonly errors = new Map<string, number>();
  #errorCount = 0;

  succeed(): void {
    this.successes.push(performance.now());
  }

  fail(what: string): void {
    this.#errorCount++;
    this.errors.set(what, (this.errors.get(what) ?? 0) + 1);
  }

  get errorCount(): number {
    return this.#errorCount;
  }
}

/** Shorter ones are the pace of the client and a busy machine. */
const gapMinMs = 1_000;

/** Seconds within a stretch of time in which nothing succeeded for longer than a second, summed. */
export function secondsWithout(successes: readonly number[], from: number, to: number): number {
  const moments = [from, ...successes.filter((at) => at > from && at < to).sort((a, b) => a - b), to];
  let sumMs = 0;
  for (let n = 1; n < moments.length; n++) {
    const gapMs = moments[n]! - moments[n - 1]!;
    if (gapMs > gapMinMs) sumMs += gapMs;
  }
  return sumMs / 1_000;
}
