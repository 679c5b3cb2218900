import type { Answer } from '../../connectors/connector.ts';
import type { Lane } from '../backlog/lane.ts';
import type { BreakerChange } from '../pace/breaker.ts';
import { requestResult } from '../pace/request-result.ts';
import { boundedError } from './verdict.ts';

export interface RouteBreakerChange extends BreakerChange {
  /** Its name. */
  route: string;
  /** What the provider, or the way to it, last failed with. */
  errorCode?: string;
}

/**
 * An error that an attempt met, on the monotonic clock. Its code alone: the words of a provider may quote a recipient,
 * and what is told of lanes is kept for a while beyond the reach of an erasure.
 */
export interface LastError {
  code: string;
  atMs: number;
}

/** What the latest requests of one route have come to, for those who look. */
export class RouteWatch {
  #failing: number | null = null;
  #failure: LastError | undefined;

  /** The code that the provider last failed with for all, whatever the message. */
  get errorCode(): string | undefined {
    return this.#failure?.code;
  }

  /** A request of a lane was answered. */
  note(lane: Lane, answers: readonly Answer[], atMs: number): void {
    const { kind } = requestResult(answers);
    if (kind === 'unsent') return;
    const sent = answers.some((answer) => answer.kind === 'sent');
    this.#failing = sent ? 0 : (this.#failing ?? 0) + 1;
    const first = answers.find((answer) => answer.kind !== 'sent');
    if (first === undefined) return;
    lane.lastError = { code: boundedError(first.error).code, atMs };
    if (kind === 'failed') this.#failure = lane.lastError;
  }

  /** Requests in a row of which no message was sent, null before the first; the newest error that concerns the lane. */
  stats(lane: Lane): { failing: number | null; lastError: LastError | null } {
    const [own, ofRoute] = [lane.lastError, this.#failure];
    const newest = own && ofRoute ? (own.atMs < ofRoute.atMs ? ofRoute : own) : (own ?? ofRoute ?? null);
    return { failing: this.#failing, lastError: newest };
  }
}
