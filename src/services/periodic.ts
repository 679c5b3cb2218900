import type { Clock } from '../lib/clock.ts';
import type { Service } from './service.ts';

export interface PeriodicSettings {
  name: string;
  everyMs: number;
  runOnce: (signal: AbortSignal) => Promise<void>;
  /** A run that fails is reported and tried again at the next turn. */
  onError: (error: unknown) => void;
  clock: Clock;
}

/** Runs a piece of work again and again, never twice at once. The first run is one period after the start. */
export function periodic({ name, everyMs, runOnce, onError, clock }: PeriodicSettings): Service {
  const stopping = new AbortController();
  let running: Promise<void> | undefined;

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await clock.sleep(everyMs, stopping.signal);
        await runOnce(stopping.signal);
      } catch (error) {
        if (!stopping.signal.aborted) onError(error);
      }
    }
  }

  return {
    name,
    start() {
      running ??= loop();
    },
    async stop() {
      stopping.abort(new Error(`${name} is stopping`));
      await running;
    },
  };
}
