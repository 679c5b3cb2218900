import type { Clock } from '../lib/clock.ts';
import { ProblemError } from '../message/error-codes.ts';
import type { Packing } from './packing.ts';
import type { UploadProblem } from './rejection.ts';
import type { SlotCutter } from './slot-cutter.ts';

/** A sender that pauses this long gets what it sent so far stored: whole slots first, then a short one. */
const idleStoreMs = 25;
const idleCutMs = 250;

export interface UploadBody {
  /** The decompressed body. */
  body: AsyncIterable<Uint8Array>;
  cutter: SlotCutter;
  packing: Packing;
  /** Stores what was packed so far. */
  flush: () => Promise<void>;
  signal: AbortSignal;
  clock: Clock;
}

/**
 * Cuts a body into slots as it comes, and has them packed. What a sender has sent before a pause becomes durable in it.
 * @throws ProblemError `broken_upload` where the body goes on with what is no upload
 */
export async function readUploadBody({
  body,
  cutter,
  packing,
  flush,
  signal,
  clock,
}: UploadBody): Promise<void> {
  signal.throwIfAborted();
  const iterator = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = nextOf(iterator, signal);
      let bytes = await within(next, idleStoreMs, clock);
      if (bytes === idle) {
        await packing.settle();
        await flush();
        bytes = await within(next, idleCutMs - idleStoreMs, clock);
      }
      if (bytes === idle) {
        await packing.add(cutter.flush());
        await packing.settle();
        await flush();
        bytes = await next;
      }
      if (bytes.done) break;
      await packing.add(cutter.push(bytes.value));
      if (cutter.problem) throw brokenUpload(cutter.problem);
    }
    await packing.add(cutter.end());
    if (cutter.problem) throw brokenUpload(cutter.problem);
  } finally {
    // Not awaited: behind a pending read it would wait for a sender that may never send again. The body's own error
    // was thrown by the read.
    iterator.return?.()?.catch(() => {});
  }
}

/**
 * The next piece of the body, or the reason of an abort. Not a race with one long promise: its reactions would keep
 * every piece in memory until the upload's end.
 */
function nextOf(
  iterator: AsyncIterator<Uint8Array>,
  signal: AbortSignal,
): Promise<IteratorResult<Uint8Array>> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    iterator
      .next()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', onAbort));
  });
}

const idle = Symbol('idle');

async function within<Value>(
  promise: Promise<Value>,
  ms: number,
  clock: Clock,
): Promise<Value | typeof idle> {
  const stop = new AbortController();
  try {
    const timer = clock.sleep(ms, stop.signal).then(
      () => idle,
      () => idle,
    );
    return (await Promise.race([promise, timer])) as Value | typeof idle;
  } finally {
    // A reason of its own: making a DOMException for each piece took 3 % of the main thread's time.
    stop.abort(idle);
  }
}

function brokenUpload({ line, code, detail }: UploadProblem): ProblemError {
  return new ProblemError('broken_upload', `From line ${line} on nothing was taken: ${detail}`, {
    errors: [{ line, code, detail }],
  });
}
