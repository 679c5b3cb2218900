import type { Route } from '../../message/route.ts';
import type { DestinationShare } from '../destinations/destination.ts';
import { destinationConnectionsKey, destinationRateKey } from './share-keys.ts';
import { wholeConnections } from './whole-connections.ts';

/** What this worker may send to each destination that a route limits. */
export function destinationShares(route: Route, shareOf: (key: string) => number): DestinationShare[] {
  return (route.destinations ?? []).map(({ match, ratePerSecond, concurrency }) => ({
    match,
    ratePerSecond: ratePerSecond && ratePerSecond * shareOf(destinationRateKey(route.id, match)),
    concurrency:
      concurrency && wholeConnections(concurrency, shareOf(destinationConnectionsKey(route.id, match))),
  }));
}
