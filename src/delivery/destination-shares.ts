import type { Route } from '../message/route.ts';
import type { DestinationShare } from './destination.ts';
import { destinationKey } from './share-keys.ts';

/** A share of so many requests may fall short of their number by less. */
const rounding = 1e-6;

/** What this worker may send to each destination that a route limits. */
export function destinationShares(route: Route, shareOf: (key: string) => number): DestinationShare[] {
  return (route.destinations ?? []).map(({ match, ratePerSecond, concurrency }) => {
    const share = shareOf(destinationKey(route.id, match));
    return {
      match,
      ratePerSecond: ratePerSecond && ratePerSecond * share,
      concurrency: concurrency && requestsAtOnce(concurrency * share),
    };
  });
}

/** One at least, but none as long as others have it all. */
function requestsAtOnce(share: number): number {
  return share < rounding ? 0 : Math.max(1, Math.floor(share + rounding));
}
