import { MinHeap } from '../../lib/min-heap.ts';
import type { Lane } from '../backlog/lane.ts';
import { Brake } from './brake.ts';
import type { RequestResult } from './request-result.ts';

/** What one account met on a route lately. */
export interface AccountOnRoute {
  readonly brake: Brake;
  answeredAtMs: number;
  refusedAtMs: number;
  /** Lanes that wait for an answer to the account's requests. */
  readonly waiting: Set<Lane>;
}

export interface AccountAnswer {
  result: RequestResult;
  beganAtMs: number;
  nowMs: number;
  /** Requests at once that the route allows. */
  limit: number;
}

/** Refusals so close to each other are of one time. */
const togetherMs = 1_000;
/** How often it is looked whether refusals are those of a route. */
const lookEveryMs = 50;
/** Of the accounts that were answered, the part whose refusal concerns the whole route, if there are two. */
const routeShare = 0.5;
/** Accounts beyond this are looked through for those of which there is nothing to remember. */
const accountsKept = 1_000;

/**
 * The brakes of the accounts on one route. Providers count by customer as well as in all: what refuses one
 * account slows its lanes alone, and what refuses most of those that send at the time concerns the route.
 */
export class AccountBrakes {
  readonly #random: () => number;
  readonly #accounts = new Map<number, AccountOnRoute>();
  #blocked = new MinHeap<Lane>();
  readonly #parked = new Set<Lane>();
  #freed: Lane[] = [];
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #pruneAt = accountsKept;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Whether a request of the lane may begin. One that may not is parked, to be handed back by `freed`. */
  opens(lane: Lane, nowMs: number): boolean {
    const account = this.#accounts.get(lane.key.accountId);
    if (account === undefined || account.brake.room(nowMs) > 0) return true;
    const { blockedUntilMs } = account.brake;
    if (blockedUntilMs > nowMs) this.parkUntil(lane, blockedUntilMs);
    else account.waiting.add(lane);
    return false;
  }

  /** The lane is handed back when the time has come. */
  parkUntil(lane: Lane, atMs: number): void {
    // It may be offered anew any number of times meanwhile.
    if (this.#parked.has(lane)) return;
    this.#parked.add(lane);
    this.#blocked.push(atMs, lane);
  }

  /** What they were parked for may be another thing now: all are handed back. */
  freeAll(): void {
    this.#freed.push(...this.#parked);
    this.#parked.clear();
    this.#blocked = new MinHeap();
  }

  /** Lanes that were parked and may be able to send again. */
  freed(nowMs: number): Lane[] {
    const freed = this.#freed;
    if (freed.length > 0) this.#freed = [];
    while (this.#blocked.minKey <= nowMs) {
      const lane = this.#blocked.pop()!;
      this.#parked.delete(lane);
      freed.push(lane);
    }
    return freed;
  }

  /** When the next parked lane is freed by time alone, or Infinity. */
  get nextAtMs(): number {
    return this.#blocked.minKey;
  }

  /** Accounts in memory. */
  get kept(): number {
    return this.#accounts.size;
  }

  blockedUntilMs(accountId: number): number {
    return this.#accounts.get(accountId)?.brake.blockedUntilMs ?? Number.NEGATIVE_INFINITY;
  }

  windowOf(accountId: number): number {
    return this.#accounts.get(accountId)?.brake.window ?? Number.POSITIVE_INFINITY;
  }

  begin(accountId: number, nowMs: number): AccountOnRoute {
    let account = this.#accounts.get(accountId);
    if (account === undefined) {
      this.#prune(nowMs);
      const never = Number.NEGATIVE_INFINITY;
      account = { brake: new Brake(), answeredAtMs: never, refusedAtMs: never, waiting: new Set() };
      this.#accounts.set(accountId, account);
    }
    account.brake.inFlight++;
    return account;
  }

  /** True when the refusal is one of many, and concerns the route. */
  end(account: AccountOnRoute, { result, beganAtMs, nowMs, limit }: AccountAnswer): boolean {
    const { brake } = account;
    const used = brake.inFlight--;
    if (result.kind !== 'unsent') account.answeredAtMs = nowMs;
    let routeRefuses = false;
    if (result.kind === 'good') brake.good(limit);
    else if (result.kind === 'refused') {
      account.refusedAtMs = nowMs;
      const { retryAfterMs } = result;
      brake.refused({ beganAtMs, nowMs, retryAfterMs, random: this.#random }, used);
      routeRefuses = this.#isOfRoute(nowMs);
    }
    for (const lane of account.waiting) this.#freed.push(lane);
    account.waiting.clear();
    return routeRefuses;
  }

  #isOfRoute(nowMs: number): boolean {
    if (nowMs - this.#lookedAtMs < lookEveryMs) return false;
    this.#lookedAtMs = nowMs;
    let answered = 0;
    let refused = 0;
    for (const account of this.#accounts.values()) {
      if (nowMs - account.answeredAtMs > togetherMs) continue;
      answered++;
      if (nowMs - account.refusedAtMs <= togetherMs) refused++;
    }
    return refused >= 2 && refused >= answered * routeShare;
  }

  /** Costs a look at each account once in so many new ones. */
  #prune(nowMs: number): void {
    if (this.#accounts.size < this.#pruneAt) return;
    for (const [id, { brake, answeredAtMs, waiting }] of this.#accounts) {
      const idle = brake.inFlight === 0 && waiting.size === 0 && nowMs - answeredAtMs > togetherMs;
      if (idle && brake.isReleased(nowMs)) this.#accounts.delete(id);
    }
    this.#pruneAt = this.#accounts.size + accountsKept;
  }
}
