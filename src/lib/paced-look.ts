import type { Clock } from './clock.ts';

export interface PacedLookSettings {
  look: () => Promise<unknown>;
  /** From the end of a look to the beginning of the next one. */
  pauseMs: number;
  /** A look that takes longer goes on, and nobody waits for it any more. */
  waitMs: number;
  clock: Pick<Clock, 'sleep' | 'after'>;
}

/**
 * Looks for all who ask, one look at a time and with pauses between, however many ask. What is answered resolves when
 * a look has ended that began after the question; it never rejects. When a look fails or takes too long, all who wait
 * are let go with false, and while that one goes on nobody waits: at most the rest of one look, a pause, and `waitMs`.
 */
export function pacedLook({ look, pauseMs, waitMs, clock }: PacedLookSettings): () => Promise<boolean> {
  /** The look that has not begun yet, shared by all who ask until it does. */
  let coming: Promise<boolean> | undefined;
  /** When those who ask for the next look may go on: at the end of this one, or when it is overdue. */
  let current: Promise<unknown> = Promise.resolve();
  let pause = Promise.resolve();
  let overdue = false;

  function begin(): Promise<boolean> {
    coming = undefined;
    const looked = new Promise<boolean>((resolve) => {
      const callOff = clock.after(waitMs, () => {
        overdue = true;
        resolve(false);
      });
      const end = (succeeded: boolean) => {
        callOff();
        overdue = false;
        pause = clock.sleep(pauseMs);
        resolve(succeeded);
      };
      look().then(
        () => end(true),
        () => end(false),
      );
    });
    current = looked;
    return looked;
  }

  async function next(): Promise<boolean> {
    await current;
    if (!overdue) await pause;
    if (!overdue) return begin();
    coming = undefined;
    return false;
  }

  return () => {
    if (overdue) return Promise.resolve(false);
    coming ??= next();
    return coming;
  };
}
