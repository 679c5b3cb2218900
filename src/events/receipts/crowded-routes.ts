import type { DueOfRoute } from '../../store/events/match-receipts.ts';

/** Receipts of some routes on one shard, which are matched in one transaction. */
export interface DueOnShard {
  shard: number;
  routeIds: number[];
  /** As of a {@link DueOfRoute}, of all of them. */
  waitedMs: number;
}

export interface PartedDue {
  calm: DueOnShard[];
  crowded: DueOnShard[];
}

/**
 * With more receipts due on all shards together, a route is crowded: at four looks a second, one that is told of more than 4,000 a
 * second, or one that has a backlog.
 */
const calmMax = 1_000;

/** Parts the receipts of crowded routes, which may wait, from all others; both in the order that they are given in. */
export function partCrowded(due: readonly DueOfRoute[]): PartedDue {
  const dueOf = new Map<number, number>();
  for (const { routeId, receipts } of due) dueOf.set(routeId, (dueOf.get(routeId) ?? 0) + receipts);
  const calm = new Map<number, DueOnShard>();
  const crowded = new Map<number, DueOnShard>();
  for (const { shard, routeId, waitedMs } of due) {
    const dueOnShards = dueOf.get(routeId)! > calmMax ? crowded : calm;
    const those = dueOnShards.get(shard);
    if (those === undefined) dueOnShards.set(shard, { shard, routeIds: [routeId], waitedMs });
    else {
      those.routeIds.push(routeId);
      those.waitedMs = Math.max(those.waitedMs, waitedMs);
    }
  }
  return { calm: [...calm.values()], crowded: [...crowded.values()] };
}
