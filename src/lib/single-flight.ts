export interface SingleFlightOptions {
  /** A result is shared with equal calls that begin this long after it was begun, and while it runs; default 0. */
  shareMs?: number;
  /** Results kept at most; past it the oldest are forgotten and made again when asked for. */
  keptMax?: number;
  /** Monotonic milliseconds. */
  now?: () => number;
}

export interface SingleFlight {
  /** The result of `work`, or of an equal call's that is under way. A failure is shared, but never kept. */
  run<Result>(key: string, work: () => Promise<Result>): Promise<Result>;
}

interface Flight {
  begunMs: number;
  running: boolean;
  result: Promise<unknown>;
}

const keptMaxDefault = 1_000;

/**
 * Makes equal calls of the same moment once. The key must name everything that the result depends on: who
 * asks, for what, and the generation of what the asker has written, so that nobody is handed a result that
 * was begun before an own write was answered.
 */
export function singleFlight(options: SingleFlightOptions = {}): SingleFlight {
  const { shareMs = 0, keptMax = keptMaxDefault, now = () => performance.now() } = options;
  // In order of beginning, so that what is too old lies in front.
  const flights = new Map<string, Flight>();

  function forgetOld(): void {
    for (const [key, flight] of flights) {
      if (flights.size <= keptMax && (flight.running || isFresh(flight))) return;
      flights.delete(key);
    }
  }

  function isFresh(flight: Flight): boolean {
    return now() - flight.begunMs < shareMs;
  }

  function land(key: string, flight: Flight, keep: boolean): void {
    flight.running = false;
    if (flights.get(key) === flight && !(keep && isFresh(flight))) flights.delete(key);
  }

  return {
    run<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
      const known = flights.get(key);
      if (known && (known.running || isFresh(known))) return known.result as Promise<Result>;
      flights.delete(key);
      const result = work();
      const flight: Flight = { begunMs: now(), running: true, result };
      flights.set(key, flight);
      result.then(
        () => land(key, flight, true),
        () => land(key, flight, false),
      );
      forgetOld();
      return result;
    },
  };
}
