import type { Clock } from '../lib/clock.ts';
import type { Amount } from '../message/allowance.ts';
import { isCharged, type JudgedBatch, type JudgingSettings, openJudging, Tally } from './judging.ts';
import type { PackedSlot } from './pack-slot.ts';
import { createPacking } from './packing.ts';
import { readUploadBody } from './read-upload-body.ts';
import type { SlotBuffers } from './slot-buffers.ts';
import { openCutter, type UploadFormat } from './slot-cutter.ts';

export interface JudgeRequest {
  batch: JudgedBatch;
  format: UploadFormat;
  /** The decompressed body. */
  body: AsyncIterable<Uint8Array>;
  signal: AbortSignal;
}

interface JudgeSettings extends JudgingSettings {
  clock: Clock;
  buffers?: SlotBuffers;
  packsAheadMax: number;
}

/** What would become of a body; `amount` is undefined where nobody is charged for it. */
export interface Judgement {
  tally: Tally;
  amount: Amount | undefined;
}

/**
 * Judges a whole body; nothing of it is stored.
 * @throws ProblemError `broken_upload`
 */
export async function judgeUpload(settings: JudgeSettings, request: JudgeRequest): Promise<Judgement> {
  const { batch, format, body, signal } = request;
  const { clock, buffers, packsAheadMax: aheadMax } = settings;
  const judging = await openJudging(settings, batch);
  const tally = new Tally();
  let parts = 0;
  const packing = createPacking({
    pack: (slot) => judging.judge(slot, signal),
    async take(packed) {
      tally.add(packed);
      parts += partsOf(packed);
    },
    aheadMax,
  });
  const cutter = openCutter(format, { firstLine: 1, skip: [], ...(buffers && { buffers }) });
  try {
    await readUploadBody({ ...{ body, cutter, packing, signal, clock }, flush: async () => {} });
  } finally {
    await packing.settle().catch(() => {});
  }
  await packing.settle();
  const amount = isCharged(settings, batch) ? { messages: tally.accepted, parts } : undefined;
  return { tally, amount };
}

/** One for each message that was not counted. */
function partsOf({ count, messageParts, keyed }: PackedSlot): number {
  const sum = (parts: ArrayLike<number>) =>
    Array.prototype.reduce.call(parts, (total, one) => total + one, 0);
  return (messageParts ? (sum(messageParts) as number) : count) + (keyed ? (sum(keyed.parts) as number) : 0);
}
