import { percentile } from '../../bench/statistics.ts';

/** When a message came to the provider, in Unix milliseconds. */
export interface Arrival {
  id: string;
  at: number;
}

export interface Waits {
  /** From the moment at which a single message was to be sent to its arrival. */
  waitsMs: { median: number; p99: number; longest: number };
  /** Between two arrivals of single messages. */
  gapsMs: { p99: number; longest: number };
}

/** `dueAt` has the single messages that were accepted; another may have arrived whose answer was lost. */
export function waitsOf(arrivals: readonly Arrival[], dueAt: ReadonlyMap<string, number>): Waits {
  const waits = arrivals.flatMap(({ id, at }) => {
    const due = dueAt.get(id);
    return due === undefined ? [] : [Math.max(0, at - due)];
  });
  const gaps = arrivals.slice(1).map(({ at }, n) => at - arrivals[n]!.at);
  return {
    waitsMs: { median: partOf(waits, 0.5), p99: partOf(waits, 0.99), longest: partOf(waits, 1) },
    gapsMs: { p99: partOf(gaps, 0.99), longest: partOf(gaps, 1) },
  };
}

/** Where nothing arrived, what is waited for has not come yet. */
function partOf(values: readonly number[], part: number): number {
  return values.length === 0 ? Number.POSITIVE_INFINITY : percentile(values, part);
}
