import type { LogLevel } from '../observe/log.ts';
import type { DeliveryStats } from './delivery-worker.ts';
import type { Hint } from './hint.ts';

/** What the thread is started with. */
export interface DeliveryThreadData {
  databaseUrl: string;
  poolSize: number;
  namedStatements: boolean;
  leaseMs: number;
  /** What opens the options of routes. */
  secretKeys: string;
  logLevel: LogLevel;
  /** The worker of a thread that died: it will not send any more, so its lease need not run out. */
  replaces?: string;
}

/** From the process to its delivery thread. */
export type ToDelivery =
  | { kind: 'hints'; hints: Hint[] }
  | { kind: 'reread' }
  | { kind: 'stop'; deadlineMs: number };

/** And back. `stats` comes every second; `attempts` are the entries of an AttemptLog. */
export type FromDelivery =
  | { kind: 'started' }
  | {
      kind: 'stats';
      stats: DeliveryStats;
      routeNames: Record<number, string>;
      attempts: Float64Array;
      faults: Record<string, number>;
    }
  | { kind: 'stopped' };
