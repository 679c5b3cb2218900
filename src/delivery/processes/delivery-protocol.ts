import type { PoolState } from '../../observe/figures/database-figures.ts';
import type { LogLevel } from '../../observe/log.ts';
import type { RecipientsShown } from '../../observe/mask-recipient.ts';
import type { TelemetrySettings } from '../../observe/otlp/open-telemetry.ts';
import type { Hint } from '../backlog/hint.ts';
import type { OutcomeCount, TakenNotes } from '../observe/delivery-notes.ts';
import type { DeliveryStats } from '../observe/delivery-stats.ts';

export interface ObserveSettings {
  logAttempts: boolean;
  recipients: RecipientsShown;
  /** One of the processes of a server tells how routes change. */
  logRoutes: boolean;
  telemetry?: TelemetrySettings | undefined;
}

/** What the thread is started with. */
export interface DeliveryThreadData {
  databaseUrl: string;
  poolSize: number;
  namedStatements: boolean;
  leaseMs: number;
  /** What opens the options of routes. */
  secretKeys: string;
  logLevel: LogLevel;
  /** What is told beside the figures; without it no more than faults and breakers. */
  observe?: ObserveSettings;
  /** The worker of a thread that died: it will not send any more, so its lease need not run out. */
  replaces?: string;
}

/** From a process to its delivery thread, and from a server to its further processes. */
export type ToDelivery =
  | { kind: 'hints'; hints: Hint[] }
  | { kind: 'released'; batch: string }
  /** A worker that has certainly ended: its lease need not run out. */
  | { kind: 'remove'; workerId: string }
  | { kind: 'stop'; deadlineMs: number };

/** What a worker tells when it starts, every second, and when it has stopped. */
export interface DeliveryReport {
  kind: 'stats';
  /** Another one for each start of the thread: counts begin at zero with it. */
  run: string;
  stats: DeliveryStats;
  /** A bitmap of the shards whose chunks it sends. */
  held: Uint8Array;
  routeNames: Record<number, string>;
  /** Recorded since its start. */
  outcomes: OutcomeCount[];
  /** Since the report before. */
  notes: TakenNotes;
  pools: PoolState[];
  loopLagSeconds: number;
  /** Spans and log lines that did not reach their collector, since the report before. */
  telemetryDropped: number;
  faults: Record<string, number>;
}

/** And back. */
export type FromDelivery = { kind: 'started' } | DeliveryReport | { kind: 'stopped' };
