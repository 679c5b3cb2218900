import type { Config } from '../config/resolve-config.ts';
import { systemClock } from '../lib/clock.ts';
import type { StopStack } from '../lib/stop-stack.ts';
import { faultWarning } from '../observe/fault-limit.ts';
import type { Logger } from '../observe/log.ts';
import { finishClosings } from '../services/finish-closings.ts';
import { foldStatistics } from '../services/fold-statistics.ts';
import { keepFeed } from '../services/keep-feed.ts';
import { keepPartitions } from '../services/keep-partitions.ts';
import type { Service } from '../services/service.ts';
import { watchTransactions } from '../services/watch-transactions.ts';
import type { Database } from '../store/database.ts';
import { createDatabaseClock } from '../store/database-clock.ts';
import { partitionRange } from '../store/partitions.ts';

/** Starts what keeps the database in shape; answers the time and the days that ids may carry. */
export async function startUpkeep(
  database: Database,
  { config, log, stops }: { config: Config; log: Logger; stops: StopStack },
): Promise<{ nowMs: () => number; current: () => { fromMs: number; toMs: number } }> {
  const databaseClock = await createDatabaseClock(database, systemClock);
  let range = await partitionRange(database);
  const onError = faultWarning(log, 'upkeep failed; it is tried again');
  const services: Service[] = [
    keepPartitions({
      database,
      databaseClock,
      clock: systemClock,
      retentionDays: config.retentionDays,
      onRange: (fresh) => {
        range = fresh;
      },
      onDropped: (partition) => log.info({ partition }, 'expired partition dropped'),
      onError,
    }),
    finishClosings({ database, clock: systemClock, onError }),
    keepFeed({
      database,
      clock: systemClock,
      onError,
      onEpoch: ({ number, begins, isShifted }) =>
        log.info(
          { epoch: number, begins: begins.toString(), isShifted },
          'the database is on another timeline or another cluster: readers of the change feed may see some changes again',
        ),
    }),
    foldStatistics({ database, clock: systemClock, onError }),
    watchTransactions({
      database,
      clock: systemClock,
      onError,
      onCulprit: ({ transaction, deadRows }) =>
        log.warn(
          { ...transaction, deadRows },
          `a transaction of process ${transaction.pid} of the database holds back the cleaning of the table pending`,
        ),
    }),
  ];
  for (const service of services) {
    service.start();
    stops.push(() => service.stop());
  }
  return { nowMs: () => databaseClock.nowMs(), current: () => range };
}
