import type { Config } from '../config/resolve-config.ts';
import { ReceiptMatcher } from '../events/receipt-matcher.ts';
import { systemClock } from '../lib/clock.ts';
import type { StopStack } from '../lib/stop-stack.ts';
import type { Logger } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { periodic } from '../services/periodic.ts';
import { openPool } from './open-pool.ts';

const matchEveryMs = 250;

/** Finds the messages of receipts, beside other servers that do. */
export function startEvents(
  databaseUrl: string,
  parts: { config: Config; log: Logger; metrics: Metrics; stops: StopStack },
): void {
  const { metrics, log, stops } = parts;
  const database = openPool(databaseUrl, { ...parts, name: 'events', poolSize: 1 });
  const matcher = new ReceiptMatcher({ database, clock: systemClock, onCounted: metrics.receiptsTold });
  const matching = periodic({
    ...{ name: 'receipts', everyMs: matchEveryMs, clock: systemClock },
    runOnce: () => matcher.runOnce(),
    onError: (err) => log.warn({ err }, 'receipts could not be matched; it is tried again'),
  });
  matching.start();
  stops.push(() => matching.stop());
}
