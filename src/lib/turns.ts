import { setImmediate } from 'node:timers/promises';
import { type Clock, systemClock } from './clock.ts';

/** For so long one piece of work keeps its thread to itself. */
const turnMsMax = 10;

/** For long work on a thread that others need: its answer, awaited again and again, lets them have their turn when it is time. */
export function turns(clock: Pick<Clock, 'monotonicMs'> = systemClock): () => Promise<void> | undefined {
  let untilMs = clock.monotonicMs() + turnMsMax;
  return () => {
    if (clock.monotonicMs() < untilMs) return undefined;
    return setImmediate().then(() => {
      untilMs = clock.monotonicMs() + turnMsMax;
    });
  };
}
