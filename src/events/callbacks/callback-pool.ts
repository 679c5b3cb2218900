import { ThreadPool } from '../../lib/thread-pool.ts';
import { threadScript } from '../../lib/thread-script.ts';
import type { CallbackChunk, CallbackTask } from './make-callbacks.ts';

/** Makes callbacks on a thread, so that those of a flood keep nobody's messages from the main one. */
export interface CallbackPool {
  make(task: CallbackTask): Promise<CallbackChunk[]>;
  close(): Promise<void>;
}

/** One turn is made at a time. */
const threads = 1;
const waitingMax = 2;

/** The thread is started by the first turn that has something to tell, and ends when there is nothing. */
export function openCallbackPool(): CallbackPool {
  const pool = new ThreadPool<CallbackTask, CallbackChunk[]>({
    script: threadScript('callback-thread', import.meta.url),
    threads,
    waitingMax,
    resourceLimits: { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 128 },
  });
  return { make: (task) => pool.run(task), close: () => pool.close() };
}
