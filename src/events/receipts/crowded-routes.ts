import type { DueOfRoute } from '../../store/events/match-receipts.ts';

/** Receipts of some routes on one shard, which are matched in one transaction. */
export interface MatchShare {
  shard: number;
  routeIds: number[];
  /** As of a {@link DueOfRoute}, of all of them. */
  waitedMs: number;
}

export interface MatchShares {
  calm: MatchShare[];
  crowded: MatchShare[];
}

/**
 * With more receipts due on all shards together, a route is crowded: at four looks a second, one that is told of more than 4,000 a
 * second, or one that has a backlog.
 */
const calmMax = 1_000;

/** Parts the receipts of crowded routes, which may wait, from all others; both in the order that they are given in. */
export function partCrowded(due: readonly DueOfRoute[]): MatchShares {
  const dueOf = new Map<number, number>();
  for (const { routeId, receipts } of due) dueOf.set(routeId, (dueOf.get(routeId) ?? 0) + receipts);
  const calm = new Map<number, MatchShare>();
  const crowded = new Map<number, MatchShare>();
  for (const { shard, routeId, waitedMs } of due) {
    const shares = dueOf.get(routeId)! > calmMax ? crowded : calm;
    const share = shares.get(shard);
    if (share === undefined) shares.set(shard, { shard, routeIds: [routeId], waitedMs });
    else {
      share.routeIds.push(routeId);
      share.waitedMs = Math.max(share.waitedMs, waitedMs);
    }
  }
  return { calm: [...calm.values()], crowded: [...crowded.values()] };
}
