import type { Clock } from '../lib/clock.ts';
import { DatabaseError } from '../store/database.ts';
import { describeFault } from '../store/describe-fault.ts';
import type { Fault } from '../store/fault.ts';

export interface AwaitDatabaseSettings {
  clock: Clock;
  signal: AbortSignal;
  /** How long one step is tried again after it first failed. */
  waitMs: number;
  /** What is waited for, in words; told again whenever it is something else, and every now and then. */
  onWait: (what: string, fault: Fault) => void;
}

const pauseMs = { min: 100, max: 1_000 };
const tellEveryMs = 10_000;

/** What passes without a person's hand, or may; a wrong password or database does not. */
const passing: ReadonlySet<Fault['kind']> = new Set(['unavailable', 'timeout', 'full', 'conflict']);

/**
 * Makes steps of a start wait for the database: it may come up later than this server, be read-only in the midst of a
 * failover, full, or out of connections while the servers before this one end. A step must bear being done again.
 * The answer throws what the last try threw.
 */
export function awaitDatabase(settings: AwaitDatabaseSettings) {
  const { clock, signal, waitMs, onWait } = settings;
  return async <Result>(step: () => Promise<Result>): Promise<Result> => {
    const sinceMs = clock.monotonicMs();
    let told: { what: string; atMs: number } | undefined;
    for (let waitedMs = pauseMs.min; ; waitedMs = Math.min(2 * waitedMs, pauseMs.max)) {
      try {
        return await step();
      } catch (error) {
        if (!(error instanceof DatabaseError) || !passing.has(error.fault.kind)) throw error;
        const nowMs = clock.monotonicMs();
        if (nowMs + waitedMs - sinceMs > waitMs) throw error;
        const what = describeFault(error.fault);
        if (told?.what !== what || nowMs - told.atMs >= tellEveryMs) {
          onWait(what, error.fault);
          told = { what, atMs: nowMs };
        }
        await pause(waitedMs, { clock, signal });
      }
    }
  };
}

/** Holds the process up, which `clock.sleep` does not: nothing else does while it starts. */
function pause(
  ms: number,
  { clock, signal }: Pick<AwaitDatabaseSettings, 'clock' | 'signal'>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      callOff();
      reject(signal.reason);
    };
    const callOff = clock.after(ms, () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
