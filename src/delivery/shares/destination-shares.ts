import type { Route } from '../../message/route.ts';
import type { DestinationShare } from '../destinations/destination.ts';
import { destinationConnectionsKey, destinationRateKey } from './share-keys.ts';

/** A share of so many connections may fall short of their number by less. */
const rounding = 1e-6;

/** What this worker may send to each destination that a route limits. */
export function destinationShares(route: Route, shareOf: (key: string) => number): DestinationShare[] {
  return (route.destinations ?? []).map(({ match, ratePerSecond, concurrency }) => ({
    match,
    ratePerSecond: ratePerSecond && ratePerSecond * shareOf(destinationRateKey(route.id, match)),
    concurrency:
      concurrency && Math.floor(concurrency * shareOf(destinationConnectionsKey(route.id, match)) + rounding),
  }));
}
