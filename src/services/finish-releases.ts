import type { Clock } from '../lib/clock.ts';
import type { Database } from '../store/database.ts';
import { listUnreleased, releaseBatch } from '../store/intake/close-batch.ts';
import { periodic } from './periodic.ts';
import type { Service } from './service.ts';

const everyMs = 5_000;

/** Finishes the release of batches whose closing was cut off between its two statements. */
export function finishReleases(settings: {
  database: Database;
  clock: Clock;
  onError: (error: unknown) => void;
}): Service {
  const { database, clock, onError } = settings;
  return periodic({
    name: 'releases',
    everyMs,
    clock,
    onError,
    async runOnce() {
      for (const batch of await listUnreleased(database)) await releaseBatch(database, batch);
    },
  });
}
