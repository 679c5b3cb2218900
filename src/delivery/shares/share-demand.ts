import type { Clock } from '../../lib/clock.ts';
import { isInteractive, type Lane } from '../backlog/lane.ts';
import type { DeliveryControl } from '../delivery-control.ts';
import type { DestinationUse } from '../destinations/destination-use.ts';
import { neediest } from './neediest.ts';
import type { SharedLimit } from './plan-grants.ts';
import {
  accountKey,
  connectionsKey,
  destinationConnectionsKey,
  destinationRateKey,
  rateKey,
  sharedLimit,
  urgentKey,
} from './share-keys.ts';

/** What a route has used since it was asked last. */
export interface RouteUse {
  messages: number;
  /** Requests at once, at most. */
  requestsMax: number;
  /** Messages that one request carries at most. */
  batchMax: number;
  /** The same of the destinations that it limits, and what is in memory for them, by `match`. */
  destinations: ReadonlyMap<string, DestinationUse>;
}

/** A need is what was used at most in as many turns, a second of them, and what waits. */
const turnsKept = 4;
/** Messages in a chunk that is due and not loaded: a guess, between those of a batch and single ones. */
const messagesPerChunk = 100;

export interface ShareDemandSettings {
  control: DeliveryControl;
  clock: Clock;
  /** Nothing but shares keeps the lane's messages: no pause, no breaker, no answer that asked for a wait. */
  couldSend: (lane: Lane) => boolean;
  /** Of the messages of a lane that were put aside, those whose destinations have room by now. */
  roomFor: (lane: Lane) => number;
  /** What each worker has of a limit that is not named. */
  equalPart: () => number;
}

export interface UseSinceLastTurn {
  routes: Iterable<[number, RouteUse]>;
  /** Messages, by accounts that have a limit. */
  accounts: Iterable<[number, number]>;
  lanes: Iterable<Lane>;
}

interface Waiting {
  byRoute: Map<number, number>;
  byAccount: Map<number, number>;
  /** In chunks that had to leave memory, by route and what matched their destinations. */
  displaced: Map<number, Map<string, number>>;
  /** Limits for which interactive messages wait. */
  urgent: Set<string>;
}

interface Use {
  used: number;
  waits: number;
}

/** What this worker could use of everything that is shared. */
export class ShareDemand {
  readonly #settings: ShareDemandSettings;
  #used = new Map<string, number[]>();
  #askedAtMs: number;

  constructor(settings: ShareDemandSettings) {
    this.#settings = settings;
    this.#askedAtMs = settings.clock.monotonicMs();
  }

  /** By key, in the unit of its limit; what is not needed is left out, and the least needs are where there are many. */
  turn({ routes, accounts, lanes }: UseSinceLastTurn): Record<string, number> {
    const { clock } = this.#settings;
    const nowMs = clock.monotonicMs();
    const seconds = Math.max(0.001, (nowMs - this.#askedAtMs) / 1_000);
    this.#askedAtMs = nowMs;
    const waiting = this.#waiting(lanes);
    const uses = new Map<string, Use>();
    for (const [routeId, route] of routes) {
      const { messages, requestsMax, batchMax } = route;
      const waits = waiting.byRoute.get(routeId) ?? 0;
      uses.set(rateKey(routeId), { used: messages / seconds, waits });
      uses.set(connectionsKey(routeId), { used: requestsMax, waits: waits / batchMax });
      noteDestinations(uses, { routeId, route, seconds, waiting });
    }
    for (const [accountId, messages] of accounts) {
      const waits = waiting.byAccount.get(accountId) ?? 0;
      uses.set(accountKey(accountId), { used: messages / seconds, waits });
    }
    return this.#named(this.#needs(uses), waiting.urgent);
  }

  #named(needs: ReadonlyMap<string, number>, urgent: ReadonlySet<string>): Record<string, number> {
    const { control, equalPart } = this.#settings;
    const parts = [...needs].map(([key, need]) => {
      const limit = sharedLimit(key, control)!;
      return { key, limit, part: need / limit.total };
    });
    const named = Object.fromEntries(neediest(parts, equalPart()).map((key) => [key, needs.get(key)!]));
    for (const key of urgent) if (key in named) named[urgentKey(key)] = 1;
    return named;
  }

  /** Of an account with a limit, no route needs more than that for a second. */
  #waiting(lanes: Iterable<Lane>): Waiting {
    const { control, couldSend } = this.#settings;
    const [byRoute, byAccount] = [new Map<number, number>(), new Map<number, number>()];
    const waiting: Waiting = { byRoute, byAccount, displaced: new Map(), urgent: new Set() };
    // Routes whose messages, for all that is known, wait for their destinations alone.
    const asideOnly = new Set<number>();
    for (const lane of lanes) {
      const { routeId, accountId } = lane.key;
      const waits = this.#waitsOf(lane);
      if ((waits === 0 && !hasAside(lane)) || !couldSend(lane)) continue;
      const most = sharedLimit(accountKey(accountId), control)?.total ?? waits;
      byRoute.set(routeId, (byRoute.get(routeId) ?? 0) + Math.min(waits, most));
      byAccount.set(accountId, (byAccount.get(accountId) ?? 0) + waits);
      if (waits === 0) asideOnly.add(routeId);
      if (isInteractive(lane)) waiting.urgent.add(connectionsKey(routeId));
      noteDisplaced(waiting, lane);
    }
    // One of the route's connections, without which the destination's is of no use.
    for (const routeId of asideOnly) byRoute.set(routeId, Math.max(1, byRoute.get(routeId)!));
    return waiting;
  }

  /** What only the route's share, or the account's, keeps from leaving. */
  #waitsOf(lane: Lane): number {
    const loaded = lane.isCrowded ? 0 : lane.ready + lane.due * messagesPerChunk;
    return loaded + (lane.aside > 0 ? this.#settings.roomFor(lane) : 0);
  }

  #needs(uses: ReadonlyMap<string, Use>): Map<string, number> {
    const needs = new Map<string, number>();
    const kept = new Map<string, number[]>();
    for (const key of new Set([...uses.keys(), ...this.#used.keys()])) {
      const limit = sharedLimit(key, this.#settings.control);
      if (limit === undefined) continue;
      const { used, waits } = uses.get(key) ?? { used: 0, waits: 0 };
      const lately = [...(this.#used.get(key) ?? []), used].slice(-turnsKept);
      const need = rounded(Math.max(...lately) + waits, limit);
      if (need === 0) continue;
      kept.set(key, lately);
      needs.set(key, need);
    }
    this.#used = kept;
    return needs;
  }
}

function hasAside(lane: Lane): boolean {
  return lane.aside > 0 || lane.displaced.messages > 0;
}

function noteDisplaced({ displaced, urgent }: Waiting, lane: Lane): void {
  const { routeId } = lane.key;
  for (const [match, messages] of lane.displaced.byMatch) {
    const ofRoute = displaced.get(routeId) ?? new Map<string, number>();
    displaced.set(routeId, ofRoute);
    ofRoute.set(match, (ofRoute.get(match) ?? 0) + messages);
    if (isInteractive(lane)) urgent.add(destinationConnectionsKey(routeId, match));
  }
}

function noteDestinations(
  uses: Map<string, Use>,
  of: { routeId: number; route: RouteUse; seconds: number; waiting: Waiting },
): void {
  const { routeId, route, seconds, waiting } = of;
  const displaced = waiting.displaced.get(routeId);
  for (const match of new Set([...route.destinations.keys(), ...(displaced?.keys() ?? [])])) {
    const use = route.destinations.get(match) ?? { messages: 0, requestsMax: 0, waits: 0, urgent: false };
    const waits = use.waits + (displaced?.get(match) ?? 0);
    const key = destinationConnectionsKey(routeId, match);
    uses.set(destinationRateKey(routeId, match), { used: use.messages / seconds, waits });
    uses.set(key, { used: use.requestsMax, waits: waits / route.batchMax });
    if (use.urgent) waiting.urgent.add(key);
  }
}

/** A power of two, so that small changes are not worth a write. */
function rounded(need: number, { total }: SharedLimit): number {
  return need <= 0 ? 0 : Math.min(total, 2 ** Math.ceil(Math.log2(need)));
}
