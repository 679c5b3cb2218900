import type { Clock } from '../lib/clock.ts';
import type { DeliveryControl } from './delivery-control.ts';
import { isInteractive, type Lane } from './lane.ts';
import { neediest } from './neediest.ts';
import type { SharedLimit } from './plan-grants.ts';
import { accountKey, connectionsKey, rateKey, sharedLimit, urgentKey } from './share-keys.ts';

/** What a route has used since it was asked last. */
export interface RouteUse {
  messages: number;
  /** Requests at once, at most. */
  requestsMax: number;
  /** Messages that one request carries at most. */
  batchMax: number;
}

/** A need is what was used at most in as many turns, a second of them, and what waits. */
const turnsKept = 4;
/** Messages in a chunk that is due and not loaded: a guess, between those of a batch and single ones. */
const messagesPerChunk = 100;

export interface ShareDemandSettings {
  control: DeliveryControl;
  clock: Clock;
  /** Nothing but the lane's share keeps its messages: no pause, no breaker, no answer that asked for a wait. */
  couldSend: (lane: Lane) => boolean;
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
  /** Routes for which interactive messages wait. */
  urgentRoutes: Set<number>;
}

/** What this worker could use of everything that is shared. */
export class ShareDemand {
  readonly #settings: ShareDemandSettings;
  readonly #used = new Map<string, number[]>();
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
    const demand: Record<string, number> = {};
    for (const [routeId, { messages, requestsMax, batchMax }] of routes) {
      const waits = waiting.byRoute.get(routeId) ?? 0;
      this.#add(demand, { key: rateKey(routeId), used: messages / seconds, waits });
      this.#add(demand, { key: connectionsKey(routeId), used: requestsMax, waits: waits / batchMax });
    }
    for (const [accountId, messages] of accounts) {
      const waits = waiting.byAccount.get(accountId) ?? 0;
      this.#add(demand, { key: accountKey(accountId), used: messages / seconds, waits });
    }
    return this.#named(demand, waiting.urgentRoutes);
  }

  #named(demand: Record<string, number>, urgentRoutes: ReadonlySet<number>): Record<string, number> {
    const { control } = this.#settings;
    const needs = Object.entries(demand).map(([key, need]) => {
      const limit = sharedLimit(key, control)!;
      return { key, limit, part: need / limit.total };
    });
    const named = Object.fromEntries(neediest(needs).map((key) => [key, demand[key]!]));
    for (const routeId of urgentRoutes) {
      const key = connectionsKey(routeId);
      if (key in named) named[urgentKey(key)] = 1;
    }
    return named;
  }

  /** Of an account with a limit, no route needs more than that for a second. */
  #waiting(lanes: Iterable<Lane>): Waiting {
    const { control, couldSend } = this.#settings;
    const [byRoute, byAccount] = [new Map<number, number>(), new Map<number, number>()];
    const urgentRoutes = new Set<number>();
    for (const lane of lanes) {
      const { routeId, accountId } = lane.key;
      const waits = lane.ready + lane.due * messagesPerChunk;
      if (waits === 0 || !couldSend(lane)) continue;
      const most = sharedLimit(accountKey(accountId), control)?.total ?? waits;
      byRoute.set(routeId, (byRoute.get(routeId) ?? 0) + Math.min(waits, most));
      byAccount.set(accountId, (byAccount.get(accountId) ?? 0) + waits);
      if (isInteractive(lane)) urgentRoutes.add(routeId);
    }
    return { byRoute, byAccount, urgentRoutes };
  }

  #add(demand: Record<string, number>, of: { key: string; used: number; waits: number }): void {
    const limit = sharedLimit(of.key, this.#settings.control);
    if (limit === undefined) return;
    const used = this.#used.get(of.key) ?? [];
    used.push(of.used);
    if (used.length > turnsKept) used.shift();
    const need = rounded(Math.max(...used) + of.waits, limit);
    if (need > 0) {
      this.#used.set(of.key, used);
      demand[of.key] = need;
    } else this.#used.delete(of.key);
  }
}

/** A power of two, so that small changes are not worth a write. */
function rounded(need: number, { total }: SharedLimit): number {
  return need <= 0 ? 0 : Math.min(total, 2 ** Math.ceil(Math.log2(need)));
}
