import type { Config } from '../config/resolve-config.ts';
import { StatisticsRoller } from '../events/statistics/statistics-roller.ts';
import { systemClock } from '../lib/clock.ts';
import type { StopStack } from '../lib/stop-stack.ts';
import type { Logger } from '../observe/log.ts';
import { periodic } from '../services/periodic.ts';
import type { Database } from '../store/database.ts';

const rollEveryMs = 1_000;

/** Adds up what is counted, beside other servers that do. */
export function startStatistics(
  database: Database,
  { config, log, stops }: { config: Config; log: Logger; stops: StopStack },
): void {
  const roller = new StatisticsRoller({
    ...{ database, statistics: database, clock: systemClock },
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
    onError: (err) => log.warn({ err }, 'statistics could not be added up; it is tried again'),
  });
  rolling.start();
  stops.push(() => rolling.stop());
}
