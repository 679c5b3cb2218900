import { serveTasks } from '../lib/serve-tasks.ts';
import type { PackTask } from './pack-pool.ts';
import { type PackedSlot, packSlot, transferOf } from './pack-slot.ts';

/** Packing gives way to deliveries and to the database when they want the same core. */
const niceness = 5;

serveTasks<PackTask, PackedSlot>(
  ({ slot, settings }) => {
    const result = packSlot(slot, settings);
    return { result, transfer: transferOf(result) };
  },
  { niceness },
);
