import { setTimeout as sleep } from 'node:timers/promises';
import { backoff } from '../lib/backoff.ts';

/** Upper bound of the wait before the first retry. */
const retryFirstMs = 200;

export function retryWaitMs(failures: number, maxMs: number): number {
  return backoff({ attempt: failures, minMs: retryFirstMs, maxMs, random: Math.random });
}

export async function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  }
}
