import { availableParallelism } from 'node:os';
import { ThreadPool } from '../lib/thread-pool.ts';
import { threadScript } from '../lib/thread-script.ts';
import type { SlotParts, SlotToCount } from './count-slot.ts';
import type { PackedSlot, PackSettings } from './pack-slot.ts';
import type { RawSlot } from './raw-slot.ts';
import type { SlotBuffers } from './slot-buffers.ts';

/** Judges and packs slots on threads, so that the main thread is free to receive and to deliver. */
export interface PackPool {
  /** Uses up the slot's buffers: shared memory is written to until this resolves, and all else has gone along. */
  pack(slot: RawSlot, settings: PackSettings): Promise<PackedSlot>;
  /** Counts the SMS of messages that name templates. */
  count(slot: SlotToCount): Promise<SlotParts>;
  close(): Promise<void>;
}

/** What a thread is asked. */
export interface PackTask {
  kind: 'pack';
  slot: RawSlot;
  settings: PackSettings;
}

export interface CountTask {
  kind: 'count';
  slot: SlotToCount;
}

/** Threads at most: cutting on the main thread takes about a fifth of what packing takes, so more would wait. */
const threadsMax = 4;

/**
 * Little of a slot lives on a thread's heap: young generations of 2 to 32 MB made no difference in memory, nor
 * in time beyond the noise. The second thread added some 30 MB of resident memory to the process.
 */
const heapLimits = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 96 };

/** Slots that wait for a thread, of all uploads together: 1 MiB each at most. */
const waitingMax = 64;

/** `threads` defaults to the number of cores, two at least, so that one large slot does not hold up the others. */
export function openPackPool({
  threads = defaultThreads(),
  buffers,
}: {
  threads?: number;
  /** Where the slots' buffers go afterwards. */
  buffers?: SlotBuffers;
} = {}): PackPool {
  const pool = new ThreadPool<PackTask | CountTask, PackedSlot | SlotParts>({
    script: threadScript('pack-thread', import.meta.url),
    threads,
    waitingMax,
    resourceLimits: heapLimits,
  });
  return {
    async pack(slot, settings) {
      const packed = (await pool.run({ kind: 'pack', slot, settings }, buffersOf(slot))) as PackedSlot;
      // Not of one that failed: a thread that is about to die may still write to it.
      if (slot.bytes.buffer instanceof SharedArrayBuffer) buffers?.give(slot.bytes.buffer);
      return packed;
    },
    count: async (slot) => (await pool.run({ kind: 'count', slot })) as SlotParts,
    close: () => pool.close(),
  };
}

function defaultThreads(): number {
  return Math.min(Math.max(availableParallelism(), 2), threadsMax);
}

function buffersOf({ bytes, starts, ends, lineOffsets }: RawSlot): ArrayBuffer[] {
  const parts = [bytes, starts, ends, ...(lineOffsets ? [lineOffsets] : [])];
  return parts.flatMap(({ buffer }) => (buffer instanceof ArrayBuffer ? [buffer] : []));
}
