import type { Clock } from '../../lib/clock.ts';
import { pacedLook } from '../../lib/paced-look.ts';
import { ProblemError } from '../../message/error-codes.ts';

/** Cursors can be invented by whoever may read, and each would cost a write to one row that all servers share. */
const pauseMs = 1_000;
const waitMs = 5_000;

export interface PacedSettleSettings {
  settle: () => Promise<unknown>;
  clock: Pick<Clock, 'sleep' | 'after'>;
}

/**
 * Settles the change feed for all requests that ask for it, at most once a second. What is answered resolves when it has been
 * done wholly after the question; it rejects when that failed or takes too long, because an answer made without it may send
 * readers back for nothing.
 */
export function pacedSettle({ settle, clock }: PacedSettleSettings): () => Promise<void> {
  let begun = 0;
  let done = 0;
  let fault: unknown;
  const look = pacedLook({ look: settleOnce, pauseMs, waitMs, clock });

  async function settleOnce(): Promise<void> {
    const own = ++begun;
    fault = undefined;
    try {
      await settle();
      done = own;
    } catch (error) {
      fault = error;
    }
  }

  return async () => {
    const before = begun;
    await look();
    if (done > before) return;
    throw fault ?? new ProblemError('unavailable', 'the database takes long', { retryAfterSeconds: 1 });
  };
}
