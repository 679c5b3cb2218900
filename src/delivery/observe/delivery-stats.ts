import type { Backlog } from '../backlog/backlog.ts';
import type { ChunkLoader } from '../chunks/chunk-loader.ts';
import type { OutcomeBuffer } from '../outcomes/outcome-buffer.ts';
import type { Ownership } from '../ownership/ownership.ts';
import type { BreakerState } from '../pace/breaker.ts';
import type { Courtesy } from '../pace/courtesy.ts';
import type { RouteState } from '../sending/route-runner.ts';
import type { RouteRunners } from '../sending/route-runners.ts';
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
  /** With such as are no callbacks: callbacks and receipts give way to them. */
  isBusyWithMessages: boolean;
  counts: DeliveryCounts;
  lanes: LaneStats[];
  routes: RouteState[];
}

/** What a worker's stats are told by. */
export interface WatchedWorker {
  ownership: Pick<Ownership, 'workerId' | 'tenures'>;
  backlog: Pick<Backlog, 'lanes'>;
  runners: Pick<RouteRunners, 'of' | 'inFlight' | 'states'>;
  loader: Pick<ChunkLoader, 'loadedChunks' | 'loadedBytes'>;
  outcomes: Pick<OutcomeBuffer, 'unrecorded'>;
  courtesy: Pick<Courtesy, 'givesWay'>;
  counts: DeliveryCounts;
}

/** At a moment of the monotonic clock, from which the database's differs by so much. */
export function deliveryStats(
  worker: WatchedWorker,
  { nowMs, databaseAheadMs }: { nowMs: number; databaseAheadMs: number },
): DeliveryStats {
  const { ownership, backlog, runners, loader, outcomes, courtesy, counts } = worker;
  const lanes: LaneStats[] = [];
  for (const lane of backlog.lanes) {
    const { key, chunks, overflown, ready, handed } = lane;
    const aside = lane.aside + lane.displaced.messages;
    const { lastError, ...stats } = runners.of(lane).stats(lane);
    const error = lastError && { ...lastError, atMs: lastError.atMs + databaseAheadMs };
    lanes.push({ ...key, chunks, overflown, ready, aside, handed, ...stats, lastError: error });
  }
  return {
    workerId: ownership.workerId,
    shards: ownership.tenures.size,
    inFlight: runners.inFlight,
    unrecorded: outcomes.unrecorded,
    loadedChunks: loader.loadedChunks,
    loadedBytes: loader.loadedBytes,
    isBusyWithMessages: courtesy.givesWay(nowMs),
    counts: { ...counts },
    lanes,
    routes: [...runners.states()],
  };
}
