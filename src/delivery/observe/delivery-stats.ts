import type { BreakerState } from '../pace/breaker.ts';
import type { RouteState } from '../sending/route-runner.ts';
import type { LastError } from '../sending/route-watch.ts';
import type { DeliveryCounts } from './delivery-counts.ts';

export interface LaneStats {
  accountId: number;
  routeId: number;
  priority: number;
  /** Chunks in memory, and whether there are more in the database. */
  chunks: number;
  overflown: boolean;
  /** Messages loaded and not sent. */
  ready: number;
  /** Messages found that wait for room at their destinations. */
  aside: number;
  /** Messages handed to the provider since the lane came into memory. */
  handed: number;
  /** How fast this worker may send through the route: messages a second, null for no limit. */
  ratePerSecond: number | null;
  /** Requests at once that this worker may have for the account on the route, as the provider bears them now. */
  concurrency: number;
  /** Of the route's rate and connections, what this worker may use. */
  share: number;
  breaker: BreakerState['kind'] | null;
  /** Requests of this worker through the route in a row of which no message was sent; null before the first. */
  failing: number | null;
  /** What last kept a message of the lane, or the provider from all; by the database's clock, in Unix milliseconds. */
  lastError: LastError | null;
}

export interface DeliveryStats {
  workerId: string;
  shards: number;
  inFlight: number;
  unrecorded: number;
  loadedChunks: number;
  loadedBytes: number;
  /** The thread is busy with messages that are no callbacks. */
  callbacksGiveWay: boolean;
  counts: DeliveryCounts;
  lanes: LaneStats[];
  routes: RouteState[];
}
