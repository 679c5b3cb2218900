import type { Clock } from '../lib/clock.ts';
import { DatabaseError } from '../store/database.ts';

/**
 * How long a commit is tried again before its sender hears 503: below the patience of most clients (30 s and more), above
 * the 10 to 13 s that a Patroni cluster with a ttl of 8 s took to have another primary.
 */
const patienceMs = 15_000;
const pauseMs = { first: 200, max: 800 };

/**
 * Repeats a write that is idempotent by key while the database is away or a commit's end is unknown.
 * @throws DatabaseError of the last try
 */
export async function retryStore<Result>(
  work: () => Promise<Result>,
  { clock, signal }: { clock: Clock; signal?: AbortSignal },
): Promise<Result> {
  const startedMs = clock.monotonicMs();
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DatabaseError) || !isWorthAnotherTry(error)) throw error;
      const waitMs = Math.min(pauseMs.first * 2 ** (attempt - 1), pauseMs.max);
      if (clock.monotonicMs() - startedMs + waitMs > patienceMs) throw error;
      await clock.sleep(waitMs, signal);
    }
  }
}

function isWorthAnotherTry({ fault }: DatabaseError): boolean {
  return (
    fault.ambiguous || fault.kind === 'unavailable' || fault.kind === 'conflict' || fault.kind === 'timeout'
  );
}
