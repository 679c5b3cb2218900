import type { Answer, OutgoingMessage } from '../../connectors/connector.ts';
import type { BreakerPolicy } from '../../message/route.ts';
import { AccountBrakes, type AccountOnRoute } from './account-brakes.ts';
import { Brake } from './brake.ts';
import { Breaker, type BreakerChange, type BreakerState } from './breaker.ts';
import type { Courtesy } from './courtesy.ts';
import { LatencyWatch } from './latency-watch.ts';
import { Pace } from './pace.ts';
import { Ramp } from './ramp.ts';
import { type RequestResult, requestResult } from './request-result.ts';
import { RetryBudget } from './retry-budget.ts';

/** How much of a route this worker may use. */
export interface GateLimits {
  /** Messages per second; undefined for no limit. */
  ratePerSecond: number | undefined;
  /** Requests at once. */
  concurrency: number;
  /** Undefined where the route wants none. */
  breaker: BreakerPolicy | undefined;
  /** Every message has its own endpoint: what one answers brakes no other. */
  manyEndpoints?: boolean;
  /** What a route of callbacks leaves to the others. */
  courtesy?: Courtesy;
}

/** What a request that was let out brings back to its gate with the answers. */
export interface Permit {
  beganAtMs: number;
  readonly messages: number;
  readonly account: AccountOnRoute;
  readonly breaker: BreakerState | undefined;
}

export interface GateStats {
  /** Messages per second that this worker may send now; null for no limit. */
  ratePerSecond: number | null;
  /** Requests at once, as the route's share, the ramp and the provider allow them now. */
  concurrency: number;
  breaker: BreakerState['kind'] | null;
}

/** Of the slots, one in so many is kept for interactive messages, when there are that many. */
const slotsPerReserved = 16;
/** A probe is one message: whatever the provider does with it, it does to no more. */
const probeMessages = 1;
/** A retry that was admitted as a probe and has not left by then does not come: its shard may be lost. */
const probeLostMs = 1_000;
/** Rising latency alone leaves this part of a route's slots: it may be that of the way, not of the provider. */
const slowedShareMin = 1 / 8;
/** While a route recovers its rate is not held below this, so that a slow one does not take minutes. */
const rampRateMin = 10;

/**
 * Whether a route's requests may leave now, how large, and what the answers to them say of the next ones: rate
 * and slots, the brakes of the route and of each account on it, the breaker, the ramp after it closed, and the
 * budget for retries.
 */
export class RouteGate {
  readonly #random: () => number;
  readonly #onBreaker: (change: BreakerChange) => void;
  readonly #pace: Pace;
  readonly #brake = new Brake();
  readonly #latency = new LatencyWatch();
  readonly #ramp = new Ramp();
  readonly #budget: RetryBudget;
  readonly accounts: AccountBrakes;
  #breaker: Breaker | undefined;
  #limits: GateLimits = { ratePerSecond: undefined, concurrency: 0, breaker: undefined };
  /** Requests at once that are allowed but for the brake. */
  #slots = 0;
  #probeRetries: { of: BreakerState | undefined; admitted: number; atMs: number } = {
    ...{ of: undefined, admitted: 0, atMs: 0 },
  };

  constructor(settings: {
    random: () => number;
    nowMs: number;
    onBreaker?: (change: BreakerChange) => void;
  }) {
    this.#random = settings.random;
    this.#onBreaker = settings.onBreaker ?? (() => {});
    this.#pace = new Pace(undefined, settings.nowMs);
    this.#budget = new RetryBudget(settings.random);
    this.accounts = new AccountBrakes(settings.random);
  }

  /** Requests on their way. */
  get inFlight(): number {
    return this.#brake.inFlight;
  }

  /** Bulk leaves a few slots to interactive messages, which then need not wait for an answer. */
  get bulkAllowed(): boolean {
    const slots = this.#slotsNow();
    return slots - this.inFlight > Math.floor(slots / slotsPerReserved);
  }

  /** New limits hold at once; what is in flight stays. */
  change(limits: GateLimits, nowMs: number): void {
    const { breaker } = limits;
    if (breaker === undefined) this.#dropBreaker(nowMs);
    else if (this.#breaker) this.#breaker.change(breaker);
    else {
      const onChange = this.#onBreaker;
      this.#breaker = new Breaker({ policy: breaker, random: this.#random, nowMs, onChange });
    }
    this.#limits = limits;
    this.#apply(nowMs);
  }

  /** No request can leave before one has been answered, or some time has passed. */
  isShut(nowMs: number): boolean {
    return this.#freeSlots(nowMs) <= 0;
  }

  /** An answer, or many, asked for a wait that is not over: of the account, or of the route. */
  isBlocked(accountId: number, nowMs: number): boolean {
    if (this.#brake.blockedUntilMs > nowMs || this.accounts.blockedUntilMs(accountId) > nowMs) return true;
    return this.#breaker?.state(nowMs).kind === 'open';
  }

  /** Messages that the next request may carry; 0 while none may leave. */
  room(batchMax: number, nowMs: number): number {
    if (this.isShut(nowMs)) return 0;
    const allowance = this.#pace.allowance(nowMs);
    const messagesMax = this.#messagesMax(batchMax, nowMs);
    if (allowance < this.#pace.worthwhile(messagesMax)) return 0;
    const courteous = this.#limits.courtesy?.room(messagesMax, nowMs) ?? messagesMax;
    return Math.min(messagesMax, allowance, courteous);
  }

  /** When there may be room without an answer having come; Infinity when only an answer makes some. */
  waitMs(batchMax: number, nowMs: number): number {
    const breaker = this.#breaker?.state(nowMs);
    if (breaker?.kind === 'open') return breaker.untilMs - nowMs;
    if (this.#brake.blockedUntilMs > nowMs) return this.#brake.blockedUntilMs - nowMs;
    if (this.isShut(nowMs)) return Number.POSITIVE_INFINITY;
    const messagesMax = this.#messagesMax(batchMax, nowMs);
    const courteousMs = this.#limits.courtesy?.waitMs(messagesMax, nowMs) ?? 0;
    return Math.max(courteousMs, this.#pace.waitMs(this.#pace.worthwhile(messagesMax), nowMs));
  }

  /** A request of an account leaves. */
  begin(request: { accountId: number; messages: number; nowMs: number }): Permit {
    const { accountId, messages, nowMs } = request;
    this.#pace.take(messages);
    this.#limits.courtesy?.take(messages);
    this.#brake.inFlight++;
    this.#probeRetries.admitted = Math.max(0, this.#probeRetries.admitted - 1);
    return {
      beganAtMs: nowMs,
      messages,
      account: this.accounts.begin(accountId, nowMs),
      breaker: this.#breaker?.begin(nowMs),
    };
  }

  /** It did not leave after all: others may in its place. */
  giveBack(permit: Permit, nowMs: number): void {
    this.#pace.giveBack(permit.messages);
    this.#limits.courtesy?.giveBack(permit.messages);
    this.#end(permit, { result: { kind: 'unsent' }, messages: [], nowMs });
  }

  /** It was answered. */
  end(
    permit: Permit,
    answered: { messages: readonly OutgoingMessage[]; answers: readonly Answer[]; nowMs: number },
  ): void {
    const { messages, answers, nowMs } = answered;
    this.#end(permit, { result: requestResult(answers), messages, nowMs });
  }

  /**
   * Of so many messages whose retry is due, those that may be tried now. While the breaker is not closed, none
   * but a probe, and that only if there is nothing to be tried for the first time.
   */
  admitRetries(wanted: number, at: { nowMs: number; othersReady: () => boolean }): number {
    const { nowMs, othersReady } = at;
    const state = this.#breaker?.state(nowMs);
    if (state === undefined || state.kind === 'closed') return this.#budget.take(wanted, { nowMs });
    if (state.kind === 'open' || this.#breaker!.room(nowMs) <= this.#probesAdmitted(state, nowMs)) return 0;
    if (othersReady()) return 0;
    this.#probeRetries.admitted++;
    this.#probeRetries.atMs = nowMs;
    return this.#budget.take(Math.min(wanted, probeMessages), { nowMs, forced: true });
  }

  /** A retry that was admitted came to its end without being tried. */
  giveBackRetry(): void {
    this.#budget.giveBack(1);
  }

  /** When retries that were not admitted should ask again. */
  retriesAgainAtMs(nowMs: number): number {
    const state = this.#breaker?.state(nowMs);
    const fromMs = state?.kind === 'open' ? Math.max(nowMs, state.untilMs) : nowMs;
    return this.#budget.againAtMs(fromMs);
  }

  stats(nowMs: number): GateStats {
    const { ratePerSecond } = this.#limits;
    return {
      ratePerSecond: ratePerSecond === undefined ? null : this.#rampedRate(ratePerSecond),
      concurrency: this.#slotsNow(),
      breaker: this.#breaker?.state(nowMs).kind ?? null,
    };
  }

  #dropBreaker(nowMs: number): void {
    const from = this.#breaker?.state(nowMs).kind ?? 'closed';
    this.#breaker = undefined;
    if (from !== 'closed') this.#onBreaker({ from, to: 'off' });
  }

  /** Retries that were admitted as probes and have not left yet. */
  #probesAdmitted(state: BreakerState, nowMs: number): number {
    const { of, atMs } = this.#probeRetries;
    if (of !== state || nowMs - atMs >= probeLostMs)
      this.#probeRetries = { of: state, admitted: 0, atMs: nowMs };
    return this.#probeRetries.admitted;
  }

  #end(
    permit: Permit,
    ended: { result: RequestResult; messages: readonly OutgoingMessage[]; nowMs: number },
  ): void {
    const { result, messages, nowMs } = ended;
    const { beganAtMs } = permit;
    const used = this.#brake.inFlight--;
    const limit = Math.max(1, this.#slots);
    if (this.#limits.manyEndpoints) {
      this.accounts.end(permit.account, { result: { kind: 'unsent' }, beganAtMs, nowMs, limit });
      if (result.kind === 'good') this.#budget.sent(messages.length);
      else if (result.kind !== 'unsent') this.#budget.failed(firstAttemptsOf(messages));
      return;
    }
    const ofRoute = this.accounts.end(permit.account, { result, beganAtMs, nowMs, limit });
    if (result.kind === 'good') this.#good({ permit, messages: messages.length, nowMs });
    else if (result.kind !== 'unsent') this.#bad(result, messages, nowMs);
    if (ofRoute && result.kind === 'refused') {
      this.#brake.refused(
        { beganAtMs, nowMs, retryAfterMs: result.retryAfterMs, random: this.#random },
        used,
      );
    }
    this.#tellBreaker(permit, result, nowMs);
  }

  #freeSlots(nowMs: number): number {
    const free = Math.min(this.#slots - this.inFlight, this.#brake.room(nowMs));
    return free <= 0 || this.#breaker === undefined ? free : Math.min(free, this.#breaker.room(nowMs));
  }

  #slotsNow(): number {
    return Math.min(this.#slots, this.#brake.window);
  }

  #messagesMax(batchMax: number, nowMs: number): number {
    if (this.#breaker?.state(nowMs).kind === 'half-open') return probeMessages;
    return Math.max(1, Math.floor(batchMax * this.#ramp.share));
  }

  #good(answer: { permit: Permit; messages: number; nowMs: number }): void {
    const { permit, messages, nowMs } = answer;
    const { beganAtMs } = permit;
    this.#budget.sent(messages);
    this.#brake.good(Math.max(1, this.#slots));
    if (this.#latency.note({ messages, latencyMs: nowMs - beganAtMs, nowMs })) {
      this.#brake.slow({ beganAtMs, nowMs }, this.#slotsNow(), Math.max(1, this.#slots * slowedShareMin));
    }
    if (this.#ramp.share < 1) {
      this.#ramp.good(nowMs);
      this.#apply(nowMs);
    }
  }

  #bad(result: RequestResult, messages: readonly OutgoingMessage[], nowMs: number): void {
    this.#budget.failed(firstAttemptsOf(messages));
    if (result.kind === 'failed' && this.#ramp.share < 1) {
      this.#ramp.failed(nowMs);
      this.#apply(nowMs);
    }
  }

  #tellBreaker(permit: Permit, result: RequestResult, nowMs: number): void {
    if (this.#breaker === undefined || permit.breaker === undefined) return;
    const wasClosed = this.#breaker.state(nowMs).kind === 'closed';
    const told = result.kind === 'failed' ? 'failed' : result.kind === 'unsent' ? 'untold' : 'passed';
    this.#breaker.end(permit.breaker, told, nowMs);
    if (wasClosed || this.#breaker.state(nowMs).kind !== 'closed') return;
    this.#ramp.start(nowMs);
    this.#apply(nowMs);
  }

  #apply(nowMs: number): void {
    const { ratePerSecond, concurrency } = this.#limits;
    const slots = Math.floor(concurrency * this.#ramp.share);
    this.#slots = Math.min(concurrency, Math.max(1, slots));
    this.#pace.change(ratePerSecond && this.#rampedRate(ratePerSecond), nowMs);
  }

  #rampedRate(ratePerSecond: number): number {
    return Math.max(ratePerSecond * this.#ramp.share, Math.min(ratePerSecond, rampRateMin));
  }
}

function firstAttemptsOf(messages: readonly OutgoingMessage[]): number {
  let firstAttempts = 0;
  for (const { attempt } of messages) if (attempt === 1) firstAttempts++;
  return firstAttempts;
}
