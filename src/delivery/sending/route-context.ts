import type { Connector, Endpoints } from '../../connectors/connector.ts';
import type { Lane } from '../backlog/lane.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import type { AccountPace } from '../pace/account-pace.ts';
import type { Courtesy } from '../pace/courtesy.ts';
import type { SliceMarks } from './mark-slice.ts';
import type { RouteBreakerChange } from './route-watch.ts';
import type { SliceSettling } from './settle-slice.ts';

/** What all routes of a worker have in common. */
export interface RouteContext extends SliceMarks, SliceSettling {
  connectors: ReadonlyMap<string, Connector>;
  endpoints: Endpoints;
  /** Messages may be taken to be sent: the lease stands, what is held is known, outcomes have room, and the worker is not stopping. */
  mayTake: (nowMs: number) => boolean;
  /** What was handed to a sender may still leave: the lease stands, and what is held is known. */
  leaseStands: (nowMs: number) => boolean;
  /** Its batch is paused or canceled, or the window of it is closed. */
  isHeld: (work: ChunkWork) => boolean;
  /** The window of the chunk's batch is closed until then: nothing of it may leave. */
  onBatchClosed: (work: ChunkWork, untilMs: number) => void;
  /** Messages of it wait for the windows of their recipients. */
  onPutOff: (work: ChunkWork) => void;
  /** The window of the route has opened: its lanes may load. */
  onRouteOpened: () => void;
  /** The recipient gets nothing of the message's account. */
  isSuppressed: (work: ChunkWork, offset: number, to: string) => boolean;
  /** Ends requests that are on their way when the worker must stop. */
  signal: AbortSignal;
  /** How fast the messages of an account may leave, over all routes; undefined for no limit. */
  accountPace: (accountId: number, nowMs: number) => AccountPace | undefined;
  /** What callbacks leave to the messages of all other routes. */
  courtesy: Courtesy;
  /** Of what is shared, what this worker may use: 0 to 1. */
  shareOf: (key: string) => number;
  /** The lane may load more. */
  onTaken: (lane: Lane) => void;
  onBreaker: (change: RouteBreakerChange) => void;
  onError: (error: unknown) => void;
}
