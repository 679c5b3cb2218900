import type { Config } from '../config/resolve-config.ts';
import { StatisticsRoller } from '../events/statistics/statistics-roller.ts';
import { systemClock } from '../lib/clock.ts';
import type { StopStack } from '../lib/stop-stack.ts';
import { faultWarning } from '../observe/fault-limit.ts';
import type { Logger } from '../observe/log.ts';
import { periodic } from '../services/periodic.ts';
import type { Database } from '../store/database.ts';
import { migrate } from '../store/migrate.ts';
import { openPool, type Pools } from './open-pool.ts';

const rollEveryMs = 1_000;
/** One adds up, the others answer reads. */
const connections = 3;

/** A database of their own for statistics. */
export interface StatisticsPlace {
  database: Database;
  /** Brings its schema up to date. */
  prepare: () => Promise<void>;
}

/** Undefined where they are kept with the messages. Nothing waits for it: it may be away when a server starts. */
export function openStatistics(parts: {
  config: Config;
  log: Logger;
  pools: Pools;
  stops: StopStack;
}): StatisticsPlace | undefined {
  const { eventsDatabase: url } = parts.config;
  if (url === undefined) return undefined;
  const database = openPool(url, { ...parts, name: 'statistics', poolSize: connections });
  return {
    database,
    async prepare() {
      const applied = await migrate({ connectionString: url });
      if (applied.length > 0) {
        parts.log.info({ migrations: applied }, 'schema of the events database brought up to date');
      }
    },
  };
}

/** Adds up what is counted, beside other servers that do. */
export function startStatistics(
  database: Database,
  {
    config,
    log,
    stops,
    statistics,
  }: { config: Config; log: Logger; stops: StopStack; statistics?: StatisticsPlace | undefined },
): void {
  const roller = new StatisticsRoller({
    ...{ database, statistics: database, clock: systemClock },
    ...(statistics && { statistics: statistics.database, prepare: statistics.prepare }),
    days: {
      minute: config.statisticsMinuteDays,
      hour: config.statisticsHourDays,
      day: config.statisticsDayDays,
    },
    onDropped: (partition) => log.info({ partition }, 'expired statistics dropped'),
  });
  const rolling = periodic({
    ...{ name: 'statistics', everyMs: rollEveryMs, clock: systemClock },
    async runOnce(signal) {
      await roller.runOnce(signal);
    },
    onError: faultWarning(log, 'statistics could not be added up and wait; it is tried again'),
  });
  rolling.start();
  stops.push(() => rolling.stop());
}
