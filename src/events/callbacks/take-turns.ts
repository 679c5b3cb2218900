import type { Clock } from '../../lib/clock.ts';

export interface TurnsSettings {
  /** Makes a turn; true when there may be more to tell at once. */
  runOnce: () => Promise<boolean>;
  /** Messages that somebody waits for want the machine. */
  givesWay: () => boolean;
  clock: Clock;
  onError: (error: unknown) => void;
}

/** How long after a change an endpoint hears of it, at most, beside the longest transaction that is open. */
const idleMs = 500;
/**
 * A turn is followed by a rest as long as itself, so that callbacks of a flood take half of one thread at most, and come later than its
 * messages; and by so many of them while others want the machine: a tenth of the time is left to callbacks whatever happens.
 */
const restsMax = 9;
/** A turn that took longer has waited for the database. */
const restMsMax = 2_000;

/** Takes one turn after the other, each followed by its rest, until the signal. */
export async function takeTurns(settings: TurnsSettings, signal: AbortSignal): Promise<void> {
  const { runOnce, givesWay, clock, onError } = settings;
  let restMs = idleMs;
  let hasMore = false;
  while (!signal.aborted) {
    try {
      await clock.sleep(restMs, signal);
      for (let rests = 1; hasMore && rests < restsMax && givesWay(); rests++)
        await clock.sleep(restMs, signal);
      const beganAtMs = clock.monotonicMs();
      hasMore = await runOnce();
      restMs = hasMore ? Math.min(restMsMax, clock.monotonicMs() - beganAtMs) : idleMs;
    } catch (error) {
      if (!signal.aborted) onError(error);
      hasMore = false;
      restMs = idleMs;
    }
  }
}
