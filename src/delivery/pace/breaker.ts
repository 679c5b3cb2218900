import type { BreakerPolicy } from '../../message/route.ts';
import { FailureWindow } from './failure-window.ts';

/** `opened` counts openings in a row: each waits longer than the one before. */
export type BreakerState =
  | {
      readonly kind: 'closed';
      readonly sinceMs: number;
      readonly opened: number;
      readonly window: FailureWindow;
    }
  | { readonly kind: 'open'; readonly opened: number; readonly untilMs: number }
  | { readonly kind: 'half-open'; readonly opened: number; probing: number; passed: number };

/** `off`: it was taken away while it was not closed, by a pause or by a change of the route. */
export interface BreakerChange {
  from: BreakerState['kind'];
  to: BreakerState['kind'] | 'off';
}

/** Of the time that the breaker stays open, so much is drawn: workers that opened together probe apart. */
const jitterShare = 0.25;
/** Doublings beyond it change nothing: the longest time is reached. */
const doublingsMax = 30;

/**
 * Keeps requests from a provider that is down. Closed, it counts failures in a sliding window, and opens when
 * too many of enough requests failed. Open, it lets nothing out until its time is up. Half open, it lets out a
 * few requests as probes: when they all pass it closes, and the first that fails opens it again, for longer.
 *
 * A request belongs to the state in which it began, and is not counted in another: what hung through an outage
 * and fails after the recovery is no news.
 */
export class Breaker {
  readonly #random: () => number;
  readonly #onChange: (change: BreakerChange) => void;
  #policy: BreakerPolicy;
  #state: BreakerState;

  constructor(settings: {
    policy: BreakerPolicy;
    random: () => number;
    nowMs: number;
    onChange?: (change: BreakerChange) => void;
  }) {
    this.#random = settings.random;
    this.#onChange = settings.onChange ?? (() => {});
    this.#policy = settings.policy;
    this.#state = this.#closed(settings.nowMs, 0);
  }

  /** A new policy holds from the next opening on. */
  change(policy: BreakerPolicy): void {
    this.#policy = policy;
  }

  state(nowMs: number): BreakerState {
    if (this.#state.kind === 'open' && nowMs >= this.#state.untilMs) {
      this.#become({ kind: 'half-open', opened: this.#state.opened, probing: 0, passed: 0 });
    }
    return this.#state;
  }

  /** Requests that may begin now. */
  room(nowMs: number): number {
    const state = this.state(nowMs);
    if (state.kind === 'closed') return Number.POSITIVE_INFINITY;
    if (state.kind === 'open') return 0;
    return Math.max(0, this.#policy.probes - state.probing - state.passed);
  }

  /** A request begins, in the state that is to be given back with its end. */
  begin(nowMs: number): BreakerState {
    const state = this.state(nowMs);
    if (state.kind === 'half-open') state.probing++;
    return state;
  }

  /** It ended. What is neither passed nor failed has told nothing of the provider. */
  end(began: BreakerState, result: 'passed' | 'failed' | 'untold', nowMs: number): void {
    if (began.kind === 'half-open') began.probing--;
    if (began !== this.#state || result === 'untold') return;
    if (began.kind === 'closed') {
      began.window.note(result === 'failed', nowMs);
      const { requestsMin, failureRatio } = this.#policy;
      if (result === 'failed' && began.window.exceeds({ requestsMin, failureRatio })) {
        // One that has just closed and opens again goes on where it was.
        const again = nowMs - began.sinceMs < this.#policy.windowMs;
        this.#open(again ? began.opened + 1 : 1, nowMs);
      }
    } else if (began.kind === 'half-open') {
      if (result === 'failed') this.#open(began.opened + 1, nowMs);
      else if (++began.passed >= this.#policy.probes) this.#become(this.#closed(nowMs, began.opened));
    }
  }

  #open(opened: number, nowMs: number): void {
    const { openMs, openMaxMs } = this.#policy;
    const waitMs = Math.min(openMaxMs, openMs * 2 ** Math.min(opened - 1, doublingsMax));
    this.#become({ kind: 'open', opened, untilMs: nowMs + waitMs * (1 - jitterShare * this.#random()) });
  }

  #become(state: BreakerState): void {
    const from = this.#state.kind;
    this.#state = state;
    this.#onChange({ from, to: state.kind });
  }

  #closed(nowMs: number, opened: number): BreakerState {
    return { kind: 'closed', sinceMs: nowMs, opened, window: new FailureWindow(this.#policy.windowMs) };
  }
}
