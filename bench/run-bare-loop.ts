import { once } from 'node:events';
import type { BareLoopTask } from './bare-loop.ts';
import { forkScript, stopChild } from './child.ts';

const loopTimeoutMs = 600_000;
const stopTimeoutMs = 2_000;

/** POSTs a second of one bare loop, a tenth of its posts sent beforehand to warm it up. */
export async function runBareLoop(task: BareLoopTask): Promise<number> {
  const child = forkScript(new URL('./bare-loop.ts', import.meta.url), task);
  const signal = AbortSignal.timeout(loopTimeoutMs);
  try {
    const ended = once(child, 'exit', { signal }).then(([code]) => {
      throw new Error(`the bare loop ended with ${code} before it reported`);
    });
    const [{ postedMs }] = await Promise.race([once(child, 'message', { signal }), ended]);
    ended.catch(() => {});
    return (task.count / postedMs) * 1_000;
  } finally {
    await stopChild({ child, signal: 'SIGTERM', timeoutMs: stopTimeoutMs });
  }
}

/** Connections that are tried; the issue asks for the best. */
const connectionsTried = [16, 32, 64, 128] as const;

export type BareLoopSettings = Pick<BareLoopTask, 'api' | 'connections'>;

/** Tries both of undici's calls at every number of connections, in a short bench at one; the fastest first. */
export async function rankBareLoops(
  task: Pick<BareLoopTask, 'url' | 'ndjson' | 'count' | 'signedWith'> & { short: boolean },
): Promise<{ settings: BareLoopSettings; perSecond: number }[]> {
  const { short, ...posts } = task;
  const tried: { settings: BareLoopSettings; perSecond: number }[] = [];
  for (const api of ['request', 'dispatch'] as const) {
    for (const connections of short ? connectionsTried.slice(0, 1) : connectionsTried) {
      const settings = { api, connections };
      tried.push({ settings, perSecond: await runBareLoop({ ...posts, ...settings }) });
    }
  }
  return tried.sort((a, b) => b.perSecond - a.perSecond);
}
