import type { Answer } from '../connectors/connector.ts';
import { Pace, type PaceLimits } from './pace.ts';

/** What a request that was let out brings back to its gate with the answers. */
export interface Permit {
  beganAtMs: number;
  messages: number;
}

/** Whether a route's requests may leave now, how large, and what the answers to them say of the next ones. */
export class RouteGate {
  readonly #pace: Pace;

  constructor(nowMs: number) {
    this.#pace = new Pace({ ratePerSecond: undefined, concurrency: 0 }, nowMs);
  }

  /** Requests on their way. */
  get inFlight(): number {
    return this.#pace.inFlight;
  }

  /** No request can leave before one has been answered. */
  get full(): boolean {
    return this.#pace.freeSlots <= 0;
  }

  /** Bulk leaves a few slots to interactive messages. */
  get bulkAllowed(): boolean {
    return this.#pace.bulkAllowed;
  }

  change(limits: PaceLimits, nowMs: number): void {
    this.#pace.change(limits, nowMs);
  }

  /** Messages that the next request may carry; 0 while none may leave. */
  room(batchMax: number, nowMs: number): number {
    if (this.full) return 0;
    const allowance = this.#pace.allowance(nowMs);
    return allowance < this.#pace.worthwhile(batchMax) ? 0 : Math.min(batchMax, allowance);
  }

  /** When there may be room without an answer having come; Infinity when only an answer makes some. */
  waitMs(batchMax: number, nowMs: number): number {
    if (this.full) return Number.POSITIVE_INFINITY;
    return this.#pace.waitMs(this.#pace.worthwhile(batchMax), nowMs);
  }

  /** A request leaves. */
  begin(messages: number, nowMs: number): Permit {
    this.#pace.begin(messages);
    return { beganAtMs: nowMs, messages };
  }

  /** Nothing left after all. */
  giveBack(_permit: Permit, _nowMs: number): void {
    this.#pace.end();
  }

  /** It was answered. */
  end(_permit: Permit, _answers: readonly Answer[], _nowMs: number): void {
    this.#pace.end();
  }
}
