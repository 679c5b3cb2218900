import { TurnOrder } from '../backlog/turn-order.ts';
import { Pace } from '../pace/pace.ts';
import type { DestinationQueue } from './destination-queue.ts';

/** What this worker may send to a destination. */
export interface DestinationShare {
  match: string;
  /** Messages per second; undefined for no limit. */
  ratePerSecond: number | undefined;
  /** Requests at once; undefined for no limit. */
  concurrency: number | undefined;
}

/** One of the destinations that a route limits: its rate, its requests, and the lanes that wait for room there. */
export class Destination {
  /** Whose turn it is: a queue that is not ready when its turn comes is forgotten until it is added again. */
  readonly order: TurnOrder<DestinationQueue>;
  /** The queue that may send now. */
  called: DestinationQueue | undefined;
  /** When it is looked at again. */
  wakeAtMs = Number.POSITIVE_INFINITY;
  /** Queues with messages for it, also those whose accounts may not send at the moment. */
  queues = 0;
  /** Requests on their way that carry a message for it. */
  inFlight = 0;
  readonly match: string;
  readonly #pace: Pace;
  #concurrency: number;
  /** Since `takeUse` was called: messages, and requests at once, at most. */
  #use = { messages: 0, requestsMax: 0 };

  constructor(settings: {
    share: DestinationShare;
    nowMs: number;
    isReady: (queue: DestinationQueue) => boolean;
  }) {
    const { share, nowMs, isReady } = settings;
    this.match = share.match;
    this.order = new TurnOrder(isReady);
    this.#pace = new Pace(share.ratePerSecond, nowMs);
    this.#concurrency = share.concurrency ?? Number.POSITIVE_INFINITY;
  }

  /** New limits hold at once; what is in flight stays. */
  change(share: DestinationShare, nowMs: number): void {
    this.#pace.change(share.ratePerSecond, nowMs);
    this.#concurrency = share.concurrency ?? Number.POSITIVE_INFINITY;
  }

  /** Others wait for room, and go before a message that has just come. */
  get isAwaited(): boolean {
    return this.called !== undefined || this.order.length > 0;
  }

  /** One more message may leave, in a request that carries one for it already, or in another one. */
  hasRoom(nowMs: number, { carried }: { carried: boolean }): boolean {
    return (carried || this.inFlight < this.#concurrency) && this.#pace.allowance(nowMs) >= 1;
  }

  /** When a request of up to `batchMax` messages is worth while: 0 for now, Infinity while all its requests are on their way. */
  waitMs(batchMax: number, nowMs: number): number {
    if (this.inFlight >= this.#concurrency) return Number.POSITIVE_INFINITY;
    return this.#pace.waitMs(this.#pace.worthwhile(batchMax), nowMs);
  }

  /** Messages that may leave now, in requests of up to `batchMax`. */
  room(batchMax: number, nowMs: number): number {
    const requests = Math.max(0, this.#concurrency - this.inFlight);
    return Math.min(this.#pace.allowance(nowMs), requests === 0 ? 0 : requests * batchMax);
  }

  /** A request begins that carries messages for it. */
  begin(): void {
    this.inFlight++;
    this.#use.requestsMax = Math.max(this.#use.requestsMax, this.inFlight);
  }

  /** A message leaves. */
  take(): void {
    this.#pace.take(1);
    this.#use.messages++;
  }

  /** What it has used since the last call. */
  takeUse(): { messages: number; requestsMax: number } {
    const use = this.#use;
    this.#use = { messages: 0, requestsMax: this.inFlight };
    return use;
  }

  /** There is nothing to remember of it. */
  isAtRest(nowMs: number): boolean {
    return this.queues === 0 && this.inFlight === 0 && !this.isAwaited && this.#pace.isFull(nowMs);
  }
}
