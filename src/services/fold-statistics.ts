import type { Clock } from '../lib/clock.ts';
import type { Database } from '../store/database.ts';
import { foldDeltas } from '../store/statistics/fold-deltas.ts';
import { periodic } from './periodic.ts';
import type { Service } from './service.ts';

const everyMs = 30_000;
/** Turns of one run, so that it ends. */
const turnsMax = 1_000;

/**
 * Folds what was counted together, on every server: also where none adds it up, it is to grow with series and minutes, and not
 * with messages.
 */
export function foldStatistics({
  database,
  clock,
  onError,
}: {
  database: Database;
  clock: Clock;
  onError: (error: unknown) => void;
}): Service {
  async function runOnce(signal: AbortSignal): Promise<void> {
    for (let turn = 0; turn < turnsMax && !signal.aborted; turn++) {
      const folded = await foldDeltas(database, { seal: false });
      if (!folded?.more) return;
    }
  }
  return periodic({ name: 'folds of statistics', everyMs, clock, onError, runOnce });
}
