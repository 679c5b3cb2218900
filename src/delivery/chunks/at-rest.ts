import type { ChunkWork } from './chunk-work.ts';

/** A chunk with times of its own is loaded at most this often for them. */
const lingerMs = 60_000;

/** The chunk is done, or all that remains of it waits. */
export function isAtRest(work: ChunkWork): boolean {
  if (work.inFlight > 0) return false;
  if (work.parked) return true;
  const { keyed, unsettled } = work;
  if (keyed === undefined) return unsettled === work.waitingMessages;
  // What is recorded in a moment lets messages of this chunk go, if any are left.
  if (unsettled === 0) return true;
  return !keyed.awaited && unsettled === work.waitingMessages + keyed.count;
}

/** It rests, and for long enough to leave memory. */
export function mayLeaveMemory(work: ChunkWork, nowMs: number): boolean {
  if (!isAtRest(work)) return false;
  return work.parked || !work.lingers || work.unsettled === 0 || work.nextDueAtMs - nowMs > lingerMs;
}
