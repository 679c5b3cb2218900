import { serveTasks } from '../lib/serve-tasks.ts';
import type { PackTask } from './pack-pool.ts';
import { type PackedSlot, packSlot } from './pack-slot.ts';

/** Packing gives way to deliveries and to the database when they want the same core. */
const niceness = 5;

serveTasks<PackTask, PackedSlot>(({ slot, settings }) => ({ result: packSlot(slot, settings) }), {
  niceness,
});
