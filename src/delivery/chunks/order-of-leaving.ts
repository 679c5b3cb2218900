import { isInteractive, type Lane } from '../backlog/lane.ts';
import type { ChunkWork } from './chunk-work.ts';

/** What can be displaced. Interactive lanes come last, and each keeps its oldest chunk: it may be all that the lane has. */
export function inOrderOfLeaving(loaded: Iterable<ChunkWork>): ChunkWork[] {
  const lanes = new Set<Lane>();
  const [surplus, bulk, interactive, oldest]: ChunkWork[][] = [[], [], [], []];
  for (const work of loaded) {
    const { lane } = work.chunk;
    if (work.aside.count === 0) continue;
    const isOldest = !lanes.has(lane);
    lanes.add(lane);
    if (!isIdle(work) || (work.ready > 0 && !lane.isCrowded)) continue;
    if (isInteractive(lane)) {
      if (!isOldest) interactive!.push(work);
    } else if (isOldest) oldest!.push(work);
    else if (lane.isCrowded && work.ready === 0) surplus!.push(work);
    else bulk!.push(work);
  }
  // Of the oldest ones those first that were there longest: so each lane has its time.
  return [...surplus!.reverse(), ...bulk!.reverse(), ...oldest!, ...interactive!.reverse()];
}

/** What is not recorded yet would be missing when the chunk is read again. */
export function isIdle(work: ChunkWork): boolean {
  return work.inFlight === 0 && work.chunk.tenure.unrecorded === 0 && !work.closed;
}
