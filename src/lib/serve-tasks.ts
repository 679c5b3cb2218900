import os from 'node:os';
import { parentPort, type Transferable } from 'node:worker_threads';
import type { ThreadAnswer, ThreadTask } from './thread-pool.ts';

export interface TaskOutcome<Result> {
  result: Result;
  /**
   * Buffers of the result that move to the pool's thread. What is small is better copied: once a thread has
   * given a buffer away, V8 tests at every access to bytes whether they are still there. Measured, that makes
   * judging a line take 0.40 µs instead of 0.34.
   */
  transfer?: Transferable[];
}

/** Answers the tasks of a `ThreadPool`: called once by the module that a thread runs. */
export function serveTasks<Task, Result>(
  handle: (task: Task) => TaskOutcome<Result>,
  { niceness }: { niceness: number },
): void {
  const port = parentPort;
  if (port === null) throw new Error('this module runs on a thread of a pool');
  lowerPriority(niceness);
  port.on('message', ({ id, task }: ThreadTask<Task>) => {
    let answer: ThreadAnswer<Result>;
    let transfer: Transferable[] = [];
    try {
      const outcome = handle(task);
      answer = { id, result: outcome.result };
      transfer = outcome.transfer ?? [];
    } catch (error) {
      answer = { id, error };
    }
    port.postMessage(answer, transfer);
  });
}

/**
 * On Linux, setpriority(2) of process 0 is the calling thread alone. Elsewhere it would be the whole process,
 * so the threads stay as they are.
 */
function lowerPriority(niceness: number): void {
  if (process.platform !== 'linux') return;
  try {
    os.setPriority(0, niceness);
  } catch {
    // A sandbox may forbid it; the work is the same.
  }
}
