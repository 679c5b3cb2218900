import { once } from 'node:events';
import { forkScript, stopChild } from './child.ts';
import type { SenderTask } from './sender.ts';

const startTimeoutMs = 60_000;
const stopTimeoutMs = 2_000;

export interface Sender {
  /** Sends the file; resolves when all of it is accepted. */
  send(): Promise<void>;
  stop(): Promise<void>;
}

/** A customer who sends a file, in a process of its own that is up before it counts. */
export async function startSender(task: SenderTask): Promise<Sender> {
  const child = forkScript(new URL('./sender.ts', import.meta.url), task);
  const stop = () => stopChild({ child, signal: 'SIGTERM', timeoutMs: stopTimeoutMs });
  const message = async (withinMs: number) => {
    const signal = AbortSignal.timeout(withinMs);
    const ended = once(child, 'exit', { signal }).then(([code]) => {
      throw new Error(`the sender ended with ${code} before it was done`);
    });
    ended.catch(() => {});
    const [answer] = await Promise.race([once(child, 'message', { signal }), ended]);
    return answer;
  };
  await message(startTimeoutMs);
  return {
    async send() {
      child.send('begin');
      const { statusCode, answer } = await message(task.timeoutMs);
      if (statusCode !== 201) throw new Error(`the upload was answered with ${statusCode}: ${answer}`);
    },
    stop,
  };
}
