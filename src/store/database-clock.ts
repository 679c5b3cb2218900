import type { Clock } from '../lib/clock.ts';
import type { Queryable } from './database.ts';

/** The database's wall clock, read from here without asking it each time. */
export interface DatabaseClock {
  /** Unix milliseconds by the database's clock. */
  nowMs(): number;
  /** Asks the database again; the answer of the quickest of a few questions counts. */
  sync(): Promise<void>;
}

const questions = 3;

/** Ids and due times follow the database's clock, because the clocks of machines differ and step. */
export async function createDatabaseClock(database: Queryable, clock: Clock): Promise<DatabaseClock> {
  let aheadMs = 0;
  const databaseClock: DatabaseClock = {
    nowMs: () => clock.monotonicMs() + aheadMs,
    async sync() {
      let quickestMs = Number.POSITIVE_INFINITY;
      for (let question = 0; question < questions; question++) {
        const askedMs = clock.monotonicMs();
        const { rows } = await database.query<{ ms: number }>({
          name: 'database_clock',
          text: 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms',
        });
        const tookMs = clock.monotonicMs() - askedMs;
        if (tookMs >= quickestMs) continue;
        quickestMs = tookMs;
        aheadMs = rows[0]!.ms - (askedMs + tookMs / 2);
      }
    },
  };
  await databaseClock.sync();
  return databaseClock;
}
