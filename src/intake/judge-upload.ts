import type { Clock } from '../lib/clock.ts';
import type { Database } from '../store/database.ts';
import { previewFit, type Refusal } from '../store/intake/charge.ts';
import { isCharged, type JudgedBatch, type JudgingSettings, openJudging, Tally } from './judging.ts';
import type { PackedSlot } from './pack-slot.ts';
import { createPacking } from './packing.ts';
import { readUploadBody } from './read-upload-body.ts';
import { refuse } from './refusal-problem.ts';
import { retryStore } from './retry-store.ts';
import type { SlotBuffers } from './slot-buffers.ts';
import { openCutter, type UploadFormat } from './slot-cutter.ts';

export interface JudgeRequest {
  batch: JudgedBatch;
  format: UploadFormat;
  /** The line of the batch that the body begins with. */
  firstLine: number;
  /** The decompressed body. */
  body: AsyncIterable<Uint8Array>;
  signal: AbortSignal;
}

interface JudgeSettings extends JudgingSettings {
  database: Database;
  clock: Clock;
  buffers?: SlotBuffers;
  packsAheadMax: number;
  onRefused: (refusal: Refusal) => void;
}

/**
 * What would become of the lines of an upload; nothing of it is stored.
 * @throws ProblemError `broken_upload`; `quota_exceeded` or `credit_exhausted` where the account may not send all of them
 */
export async function judgeUpload(settings: JudgeSettings, request: JudgeRequest): Promise<Tally> {
  const { batch, format, firstLine, body, signal } = request;
  const { clock, buffers, packsAheadMax: aheadMax } = settings;
  const judging = await openJudging(settings, batch);
  const tally = new Tally();
  const parts: ArrayLike<number>[] = [];
  const packing = createPacking({
    pack: (slot) => judging.judge(slot, signal),
    async take(packed) {
      tally.add(packed);
      parts.push(...partsOf(packed));
    },
    aheadMax,
  });
  const cutter = openCutter(format, { firstLine, skip: [], ...(buffers && { buffers }) });
  try {
    await readUploadBody({ ...{ body, cutter, packing, signal, clock }, flush: async () => {} });
  } finally {
    await packing.settle().catch(() => {});
  }
  await packing.settle();
  if (tally.rejected === 0 && isCharged(settings, batch))
    await requireFit(settings, { batch, parts, signal });
  return tally;
}

/** One for each message that was not counted. */
function partsOf({ count, messageParts, keyed }: PackedSlot): ArrayLike<number>[] {
  const unkeyed = messageParts ?? new Uint8Array(count).fill(1);
  return keyed ? [unkeyed, keyed.parts] : [unkeyed];
}

async function requireFit(
  settings: JudgeSettings,
  { batch, parts, signal }: { batch: JudgedBatch; parts: readonly ArrayLike<number>[]; signal: AbortSignal },
): Promise<void> {
  const { database, clock } = settings;
  const all = new Uint16Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const some of parts) {
    all.set(some, at);
    at += some.length;
  }
  const asked = { accountId: batch.accountId, parts: all };
  const { refusal } = await retryStore(() => previewFit(database, asked), { clock, signal });
  if (refusal) refuse(settings, refusal);
}
