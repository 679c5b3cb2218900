import type { Config } from '../config/resolve-config.ts';
import { busyFrom } from '../delivery/pace/courtesy.ts';
import { startCallbacks } from '../events/callbacks/start-callbacks.ts';
import { ReceiptMatcher } from '../events/receipts/receipt-matcher.ts';
import { systemClock } from '../lib/clock.ts';
import { loopBusiness } from '../lib/loop-business.ts';
import type { SecretBox } from '../lib/secret-box.ts';
import type { StopStack } from '../lib/stop-stack.ts';
import { faultWarning } from '../observe/fault-limit.ts';
import type { Logger } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { periodic } from '../services/periodic.ts';
import { type ControlCache, createControlCache } from '../store/control/control-cache.ts';
import type { Database } from '../store/database.ts';
import type { IdMint } from '../store/id-mint.ts';
import { openPool, type Pools } from './open-pool.ts';
import { type StatisticsPlace, startStatistics } from './start-statistics.ts';

const matchEveryMs = 250;
/** One for receipts, one for callbacks, one for statistics. */
const connections = 3;

export interface EventParts {
  config: Config;
  log: Logger;
  metrics: Metrics;
  pools: Pools;
  stops: StopStack;
  secrets: SecretBox;
  mint: IdMint;
  /** Where statistics are kept, where that is a database of their own. */
  statistics?: StatisticsPlace | undefined;
  /** That of the API, where this process has one. */
  control?: ControlCache;
  /** Of this process, where it delivers. */
  deliveries?: { readonly isBusyWithMessages: boolean };
  /** Waits for a database that is away. */
  patiently: <T>(step: () => Promise<T>) => Promise<T>;
}

/** Finds the messages of receipts, and tells webhooks of changes, beside other servers that do. */
export async function startEvents(databaseUrl: string, parts: EventParts): Promise<void> {
  const { metrics, log, stops, deliveries } = parts;
  const database = openPool(databaseUrl, { ...parts, name: 'events', poolSize: connections });
  const matcher = new ReceiptMatcher({
    ...{ database, clock: systemClock, onCounted: metrics.receiptsTold },
    // A process that does not deliver knows of no messages; what keeps its own event loop busy may be receipts themselves.
    givesWay: () => deliveries?.isBusyWithMessages ?? false,
  });
  const matching = periodic({
    ...{ name: 'receipts', everyMs: matchEveryMs, clock: systemClock },
    runOnce: (signal) => matcher.runOnce(signal),
    onError: faultWarning(log, 'receipts could not be matched; it is tried again'),
  });
  matching.start();
  stops.push(() => matching.stop());
  startStatistics(database, parts);
  await openCallbacks(database, parts);
}

async function openCallbacks(database: Database, parts: EventParts): Promise<void> {
  const { config, log, metrics, stops, mint, deliveries } = parts;
  const business = loopBusiness();
  const callbacks = startCallbacks({
    ...{ database, mint, control: parts.control ?? (await ownControl(database, parts)) },
    clock: systemClock,
    disableAfterMs: config.webhookDisableAfterMs,
    givesWay: () => deliveries?.isBusyWithMessages ?? business() > busyFrom,
    onCallbacks: metrics.callbacksMade,
    onDisabled: ({ id, accountId, name }, reason) =>
      log.warn({ webhook: id, accountId, name }, `a webhook is not called any more: ${reason}`),
    onError: faultWarning(log, 'callbacks could not be made; it is tried again'),
  });
  stops.push(() => callbacks.stop());
}

async function ownControl(
  database: Database,
  { log, stops, secrets, patiently }: EventParts,
): Promise<ControlCache> {
  const control = createControlCache({
    database,
    secrets,
    onError: faultWarning(log, 'control poll failed'),
  });
  await patiently(() => control.start());
  stops.push(() => control.stop());
  return control;
}
