import type { WalPosition } from './read-positions.ts';

/** Where the primary's log ended when: what a replica's place says of its age, by this process's clock alone. */
export interface LagHistory {
  add(end: WalPosition, atMs: number): void;
  /** The last known end. */
  last(): WalPosition | undefined;
  /**
   * For how long there has been something that a place does not have; 0 when it has everything that is known, and at
   * most as much as is remembered. Undefined for a place of another timeline.
   */
  behindMs(place: WalPosition, nowMs: number): number | undefined;
}

/** Ends that are remembered: ten minutes of two a second. */
const endsMax = 1_200;

export function createLagHistory(): LagHistory {
  let timeline = 0;
  /** In order; each with the time at which it was first seen. */
  let ends: { position: bigint; atMs: number }[] = [];

  return {
    add(end, atMs) {
      if (end.timeline !== timeline) {
        timeline = end.timeline;
        ends = [];
      }
      const last = ends.at(-1);
      if (last && end.position <= last.position) return;
      ends.push({ position: end.position, atMs });
      if (ends.length > endsMax) ends.shift();
    },
    last() {
      const last = ends.at(-1);
      return last && { timeline, position: last.position };
    },
    behindMs(place, nowMs) {
      if (place.timeline !== timeline || ends.length === 0) return undefined;
      const missing = ends.find(({ position }) => position > place.position);
      return missing === undefined ? 0 : Math.max(0, nowMs - missing.atMs);
    },
  };
}
