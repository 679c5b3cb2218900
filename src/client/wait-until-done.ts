import type { Http } from './http.ts';
import type { Batch } from './resources/batch.ts';
import { wait } from './retry-wait.ts';

export interface WaitOptions {
  /** Between two looks. Default 1,000 ms. */
  pollMs?: number;
  /** Told what each look saw. */
  onLook?(batch: Batch): void;
  signal?: AbortSignal | undefined;
}

const pollDefaultMs = 1_000;

/** An open batch is never done, and a paused one not before it is resumed: then it takes the signal to end this. */
export async function waitUntilDone(
  http: Http,
  path: string,
  { pollMs = pollDefaultMs, onLook, signal }: WaitOptions,
): Promise<Batch> {
  for (;;) {
    const batch = await http.value<Batch>({ path, signal });
    onLook?.(batch);
    if (batch.doneAt) return batch;
    await wait(pollMs, signal ?? http.signal);
  }
}
