import type { ReceiptPlace } from '../../store/events/match-receipts.ts';

/** Receipts on one shard that are matched in one transaction. */
export interface MatchPlace {
  shard: number;
  routeIds: number[];
  /** For how long the one that waits longest has been due. */
  waitedMs: number;
}

export interface PlacesInTurn {
  few: MatchPlace[];
  many: MatchPlace[];
}

/** A route of which more are due crowds the others: at four looks a second, one that is told of more than 4,000 a second. */
const fewMax = 1_000;

/**
 * Keeps the receipts of routes that have few due apart from those of routes that have many, which may wait. What waits
 * longest comes first, as it came.
 */
export function placesInTurn(places: readonly ReceiptPlace[]): PlacesInTurn {
  const dueOf = new Map<number, number>();
  for (const { routeId, receipts } of places) dueOf.set(routeId, (dueOf.get(routeId) ?? 0) + receipts);
  const few = new Map<number, MatchPlace>();
  const many = new Map<number, MatchPlace>();
  for (const { shard, routeId, waitedMs } of places) {
    const those = dueOf.get(routeId)! > fewMax ? many : few;
    const place = those.get(shard);
    if (place) place.routeIds.push(routeId);
    else those.set(shard, { shard, routeIds: [routeId], waitedMs });
  }
  return { few: [...few.values()], many: [...many.values()] };
}
