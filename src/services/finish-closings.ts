import type { Clock } from '../lib/clock.ts';
import type { Database } from '../store/database.ts';
import { closeBatch, listHalfClosed } from '../store/intake/close-batch.ts';
import { periodic } from './periodic.ts';
import type { Service } from './service.ts';

const everyMs = 5_000;

/** Finishes the closing of batches that was cut off between its statements. */
export function finishClosings(settings: {
  database: Database;
  clock: Clock;
  onError: (error: unknown) => void;
}): Service {
  const { database, clock, onError } = settings;
  return periodic({
    name: 'closings',
    everyMs,
    clock,
    onError,
    async runOnce() {
      for (const half of await listHalfClosed(database)) await closeBatch(database, half);
    },
  });
}
