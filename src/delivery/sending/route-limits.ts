import type { Route } from '../../message/route.ts';
import { callbackRouteName } from '../../message/webhook.ts';
import type { GateLimits } from '../pace/route-gate.ts';
import { connectionsKey, rateKey } from '../shares/share-keys.ts';
import { wholeConnections } from '../shares/whole-connections.ts';
import type { RouteContext } from './route-context.ts';

/** How much of a route this worker may use; undefined for one that nothing may leave by. */
export function routeLimits(
  route: Route | undefined,
  { shareOf, connectors, courtesy }: Pick<RouteContext, 'shareOf' | 'connectors' | 'courtesy'>,
): GateLimits {
  if (route === undefined) return { ratePerSecond: undefined, concurrency: 0, breaker: undefined };
  const { id, ratePerSecond, concurrency } = route;
  return {
    ratePerSecond: ratePerSecond === undefined ? undefined : ratePerSecond * shareOf(rateKey(id)),
    concurrency: wholeConnections(concurrency, shareOf(connectionsKey(id))),
    breaker: route.breaker || undefined,
    manyEndpoints: connectors.get(route.connector)?.manyEndpoints ?? false,
    ...(isOfCallbacks(route) && { courtesy }),
  };
}

/** It tells accounts what became of the messages of all other routes. */
export function isOfCallbacks(route: Route | undefined): boolean {
  return route?.name === callbackRouteName;
}
