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

/** `Retry-After`: seconds or an HTTP date, in ms from now; undefined when absent or unreadable. */
export function readRetryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,10}$/.test(header.trim())) return Number(header) * 1_000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}
