import type { Clock } from '../../lib/clock.ts';
import type { Queryable } from '../database.ts';
import { type LaneReport, readReports, wantReports } from './worker-reports.ts';

/** Workers report once a second, for the first time with the second turn after they were asked to: a speed has two ends. */
const freshMs = 2_500;
const reportsWaitMs = 3_000;
const pollMs = 100;

/** What each worker tells of its lanes: all of them when they tell in time, else those that do. */
export async function gatherReports(database: Queryable, clock: Clock): Promise<LaneReport[][]> {
  await wantReports(database);
  const endMs = clock.monotonicMs() + reportsWaitMs;
  for (;;) {
    const reports = await readReports(database, freshMs);
    if (!reports.includes(null) || clock.monotonicMs() >= endMs) {
      return reports.filter((lanes) => lanes !== null);
    }
    await clock.sleep(pollMs);
  }
}
