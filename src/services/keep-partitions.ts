import type { Clock } from '../lib/clock.ts';
import type { Database } from '../store/database.ts';
import type { DatabaseClock } from '../store/database-clock.ts';
import { dropExpiredPartitions, ensurePartitions, partitionRange } from '../store/partitions.ts';
import { periodic } from './periodic.ts';
import type { Service } from './service.ts';

/** Often enough to notice midnight and a stepped clock early; a turn without work is two small queries. */
const everyMs = 60_000;

export interface KeepPartitionsSettings {
  database: Database;
  databaseClock: DatabaseClock;
  clock: Clock;
  retentionDays: number;
  onRange: (range: { fromMs: number; toMs: number }) => void;
  onDropped: (name: string) => void;
  onError: (error: unknown) => void;
}

/** Makes partitions ahead, drops expired ones, and tells the ids which days they may carry. */
export function keepPartitions(settings: KeepPartitionsSettings): Service {
  const { database, databaseClock, retentionDays, clock, onError } = settings;
  return periodic({
    name: 'partitions',
    everyMs,
    clock,
    onError,
    async runOnce() {
      await databaseClock.sync();
      // Those that could be made are used, whatever kept another from being made.
      await ensurePartitions(database, { clock }).catch(onError);
      settings.onRange(await partitionRange(database));
      await dropExpiredPartitions(database, { clock, retentionDays, onDropped: settings.onDropped });
    },
  });
}
