import { serveTasks } from '../lib/serve-tasks.ts';
import { countSlot, type SlotParts } from './count-slot.ts';
import type { CountTask, PackTask } from './pack-pool.ts';
import { type PackedSlot, packSlot } from './pack-slot.ts';

/** Packing gives way to deliveries and to the database when they want the same core. */
const niceness = 5;

serveTasks<PackTask | CountTask, PackedSlot | SlotParts>(
  (task) => ({ result: task.kind === 'pack' ? packSlot(task.slot, task.settings) : countSlot(task.slot) }),
  { niceness },
);
