import type { Priority } from './message.ts';

/** What one account sends through one route with one priority. */
export interface Lane {
  accountId: string;
  route: string;
  priority: Priority;
  /** Messages that have not come to their end; of those: */
  queued: number;
  /** they wait for a limit of the route's `destinations`; */
  aside: number;
  /** their batch is paused, or its window is closed. */
  held: number;
  /** Since when the oldest could have left; null when none is due. */
  oldestDueAt: string | null;
  /** Over the last second. */
  sentPerSecond: number;
  /** What the route may send now, and the account over all its routes; null for no limit. */
  ratePerSecond: number | null;
  accountRatePerSecond: number | null;
  /** Requests at once that the account may have on the route now. */
  concurrency: number;
  /** Of the route, by weight, while all of this priority that wait want it. */
  share: number;
  /** The worst over the workers; null where the route has none. */
  breaker: string | null;
  /** Absent from older servers. */
  lastError?: { code: string; at: string } | null;
  paused: boolean;
  /** While the window of the route is closed: when it opens. Absent from older servers. */
  opensAt?: string | null;
}
