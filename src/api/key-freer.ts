import { backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../observe/log.ts';

/** The lock has run out by itself by then, however often the database was asked meanwhile. */
const triesMax = 32;
/** A second on the average: whoever asks again after a failover finds the key free. */
const pauseMs = { min: 250, max: 2_000 };
/** Keys that are freed behind the back of their requests. The lock of a further one runs out by itself. */
const keysMax = 1_000;
/** A server that has fallen silent answers nothing for longer than a client, who has waited already, goes on to wait. */
const answerAfterMs = 1_000;

export interface KeyFreer {
  /**
   * Frees the key of a try that has failed; on when the database cannot be asked right now, which may be why it has
   * failed. Resolves when the key is free, or after a second, and then goes on. Never rejects.
   */
  free(free: () => Promise<void>): Promise<void>;
}

export function createKeyFreer({
  clock,
  log,
  signal,
}: {
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
}): KeyFreer {
  let freeing = 0;

  async function goOn(free: () => Promise<void>, first: unknown): Promise<void> {
    let err = first;
    for (let attempt = 1; attempt < triesMax && !signal.aborted; attempt++) {
      try {
        const { min: minMs, max: maxMs } = pauseMs;
        await clock.sleep(backoff({ attempt, minMs, maxMs, random: Math.random }), signal);
        return await free();
      } catch (error) {
        err = error;
      }
    }
    log.warn({ err }, 'the Idempotency-Key of a failed request stays locked until its lock runs out');
  }

  return {
    async free(free) {
      const first = free().catch((error) => {
        if (freeing === keysMax) return;
        freeing++;
        void goOn(free, error).finally(() => freeing--);
      });
      await new Promise<void>((resolve) => {
        const callOff = clock.after(answerAfterMs, resolve);
        void first.finally(() => {
          callOff();
          resolve();
        });
      });
    },
  };
}
