import { Worker } from 'node:worker_threads';
import { threadEntry } from '../../lib/thread-entry.ts';
import { threadScript } from '../../lib/thread-script.ts';

const script = threadScript('flood-thread', import.meta.url);

/** What the thread is told to send. */
export interface FloodOrder {
  url: string;
  key: string;
  batchId: string;
  count: number;
  seed: number;
}

export type FloodEvent = { kind: 'resumed'; line: number; reason: string } | { kind: 'done' };

export interface Flood {
  /** Resolves when the last line is durable and the batch closed. */
  readonly done: Promise<void>;
  stop(): Promise<void>;
}

/** Sends the flood from a thread of its own, so that making it does not disturb what the others are measured by. */
export function startFlood(
  order: FloodOrder,
  onResume: (event: { line: number; reason: string }) => void,
): Flood {
  const thread = new Worker(threadEntry(script), { workerData: order });
  const done = new Promise<void>((resolve, reject) => {
    thread.on('message', (event: FloodEvent) => (event.kind === 'done' ? resolve() : onResume(event)));
    thread.once('error', reject);
    thread.once('exit', () => reject(new Error('the flood ended before its last line')));
  });
  // Whoever awaits it hears of it; until then it must not count as unhandled.
  done.catch(() => {});
  return {
    done,
    async stop() {
      await thread.terminate();
    },
  };
}
