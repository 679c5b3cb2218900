import type { Clock } from '../lib/clock.ts';
import { ProblemError } from '../message/error-codes.ts';

/**
 * Whether this server takes requests, and the signal that long requests end on. A server that stops is first only not
 * ready: it takes what load balancers that have not seen it yet still send, and ends each connection with its answer.
 */
export interface Lifecycle {
  /** Not ready any more: requests are taken until it is stopping too. */
  readonly leaving: boolean;
  readonly stopping: boolean;
  /**
   * Aborted when stopping begins, its reason being a ProblemError: an upload ends at its next durable line, a stream
   * at its next record.
   */
  readonly signal: AbortSignal;
  /** Leaving at once, and stopping after the delay. */
  leave(settings: { delayMs: number; clock: Clock }): Promise<void>;
  beginStop(): void;
}

export function createLifecycle(): Lifecycle {
  const controller = new AbortController();
  let leaving = false;
  const lifecycle: Lifecycle = {
    get leaving() {
      return leaving;
    },
    get stopping() {
      return controller.signal.aborted;
    },
    signal: controller.signal,
    async leave({ delayMs, clock }) {
      leaving = true;
      if (delayMs > 0) await clock.sleep(delayMs);
      lifecycle.beginStop();
    },
    beginStop() {
      leaving = true;
      controller.abort(
        new ProblemError('stopping', 'The server is stopping; resume the upload from nextLine.', {
          retryAfterSeconds: 1,
        }),
      );
    },
  };
  return lifecycle;
}
