import { type Clock, systemClock } from '../lib/clock.ts';
import { databaseFault, type ToldFault } from './database-fault.ts';
import type { Logger } from './log.ts';

/** The same fault is logged once in so long: a database that is away fails every loop and every flush. */
const logEveryMs = 5_000;
/** Different faults remembered at a time. */
const faultsMax = 100;

/** What keeps faults from flooding the log. */
export class FaultLimit {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #seen = new Map<string, { atMs: number; silenced: number }>();

  constructor(clock: Pick<Clock, 'monotonicMs'> = systemClock) {
    this.#clock = clock;
  }

  /** Undefined for a fault that is not to be logged, else how many of its like were not since the last that was. */
  pass(name: string): { silenced?: number } | undefined {
    const nowMs = this.#clock.monotonicMs();
    const seen = this.#seen.get(name);
    if (seen && nowMs - seen.atMs < logEveryMs) {
      seen.silenced++;
      return undefined;
    }
    if (this.#seen.size >= faultsMax) this.#seen.clear();
    this.#seen.set(name, { atMs: nowMs, silenced: 0 });
    const silenced = seen?.silenced ?? 0;
    return silenced > 0 ? { silenced } : {};
  }
}

/** Warns in these words of what a piece of work that is done again and again has met. Each has one for itself. */
export function faultWarning(log: Logger, words: string): (error: unknown) => void {
  const limit = new FaultLimit();
  return (err) => {
    const passed = limit.pass(nameOf(err));
    if (passed) log.warn({ err, ...passed }, words);
  };
}

/** Likewise of idle connections, all of which a restart breaks at once. */
export function connectionWarning(log: Logger): (fault: ToldFault) => void {
  const limit = new FaultLimit();
  return (fault) => {
    const passed = limit.pass(nameOfFault(fault));
    if (passed) log.warn({ fault, ...passed }, 'a database connection broke');
  };
}

function nameOf(error: unknown): string {
  const fault = databaseFault(error);
  return fault ? nameOfFault(fault) : String((error as Error)?.message).slice(0, 200);
}

function nameOfFault({ kind, code }: ToldFault): string {
  return `${kind} ${code}`;
}
