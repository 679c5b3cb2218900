import { createSemaphore } from '../lib/semaphore.ts';
import type { PackedSlot } from './pack-slot.ts';
import type { RawSlot } from './raw-slot.ts';

/** Packs slots beside each other and hands them on in their order. */
export interface Packing {
  /** Waits while as many slots are under way as may be. Throws what made an earlier slot fail. */
  add(slots: readonly RawSlot[]): Promise<void>;
  /** Resolves when every slot added so far has been handed on. */
  settle(): Promise<void>;
}

export interface PackingSettings {
  pack: (slot: RawSlot) => Promise<PackedSlot>;
  take: (packed: PackedSlot) => Promise<void>;
  aheadMax: number;
}

export function createPacking({ pack, take, aheadMax }: PackingSettings): Packing {
  const room = createSemaphore(aheadMax);
  let last: Promise<void> = Promise.resolve();
  let failure: { error: unknown } | undefined;
  return {
    async add(slots) {
      for (const slot of slots) {
        const release = await room.acquire();
        if (failure) {
          release();
          throw failure.error;
        }
        const packed = pack(slot);
        // It is awaited below, or not at all when one before it fails.
        packed.catch(() => {});
        last = last
          .then(async () => {
            if (!failure) await take(await packed);
          })
          .catch((error: unknown) => {
            failure ??= { error };
          })
          .finally(release);
      }
    },
    async settle() {
      await last;
      if (failure) throw failure.error;
    },
  };
}
