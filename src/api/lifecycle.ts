import { ProblemError } from '../message/error-codes.ts';

/** Whether this server takes requests, and the signal that long requests end on. */
export interface Lifecycle {
  readonly stopping: boolean;
  /**
   * Aborted when stopping begins, its reason being a ProblemError: an upload ends at its next durable line, a stream
   * at its next record.
   */
  readonly signal: AbortSignal;
  beginStop(): void;
}

export function createLifecycle(): Lifecycle {
  const controller = new AbortController();
  return {
    get stopping() {
      return controller.signal.aborted;
    },
    signal: controller.signal,
    beginStop: () =>
      controller.abort(
        new ProblemError('stopping', 'The server is stopping; resume the upload from nextLine.'),
      ),
  };
}
