import type { Clock } from '../lib/clock.ts';
import { type Database, DatabaseError } from './database.ts';
import type { Fault } from './fault.ts';

export interface SpaceWatch {
  /** The same database, watched: what it commits had space. */
  database: Database;
  /** Likewise, for who changes rows in place: that succeeds on a full disk as well, and tells nothing. */
  inPlace: Database;
  /** Why the last write failed, if it was for want of space or memory, and not long ago. */
  full(): Fault | undefined;
}

/** After this long it is tried anew: who is told that a server is not ready sends it nothing that could show otherwise. */
const rememberedMs = 15_000;

/** A full disk lets a database answer questions as ever: only its writes tell. */
export function watchSpace(database: Database, clock: Clock): SpaceWatch {
  let last: { fault: Fault; atMs: number } | undefined;
  async function watched<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof DatabaseError && error.fault.kind === 'full') {
        last = { fault: error.fault, atMs: clock.monotonicMs() };
      }
      throw error;
    }
  }
  /** What was committed had space. */
  async function committed<Result>(work: Promise<Result>): Promise<Result> {
    const result = await watched(work);
    last = undefined;
    return result;
  }
  const watchedBy = (told: typeof watched): Database => ({
    ...database,
    // It may have been a question.
    query: (statement, values) => watched(database.query(statement, values)),
    transaction: (work) => told(database.transaction(work)),
    transactionOf: (calls) => told(database.transactionOf(calls)),
  });
  return {
    database: watchedBy(committed),
    inPlace: watchedBy(watched),
    full: () => (last && clock.monotonicMs() - last.atMs < rememberedMs ? last.fault : undefined),
  };
}
