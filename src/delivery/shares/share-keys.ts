import type { DeliveryControl } from '../delivery-control.ts';
import type { SharedLimit } from './plan-grants.ts';

/** What workers share goes by these names in demands and grants. */
export function rateKey(routeId: number): string {
  return `rate:${routeId}`;
}

export function connectionsKey(routeId: number): string {
  return `conn:${routeId}`;
}

/** Of one of the destinations that a route limits, or of each of the hosts that it limits alike. */
export function destinationRateKey(routeId: number, match: string): string {
  return `drate:${routeId}:${match}`;
}

export function destinationConnectionsKey(routeId: number, match: string): string {
  return `dconn:${routeId}:${match}`;
}

/** Messages of an account over all its routes. */
export function accountKey(accountId: number): string {
  return `account:${accountId}`;
}

/** In demands only: interactive messages wait for a share of `key`. */
export function urgentKey(key: string): string {
  return `urgent:${key}`;
}

/** How much there is of it; undefined for what has no limit, or is no more. */
export function sharedLimit(key: string, control: DeliveryControl): SharedLimit | undefined {
  const [kind, id, ...rest] = key.split(':');
  if (kind === 'account') {
    const { ratePerSecond } = control.accountById(Number(id))?.limits ?? {};
    return ratePerSecond === undefined ? undefined : { total: ratePerSecond, whole: false };
  }
  const route = control.routeById(Number(id));
  if (kind === 'conn' && route) return { total: route.concurrency, whole: true };
  if (kind === 'rate' && route?.ratePerSecond) return { total: route.ratePerSecond, whole: false };
  if (kind !== 'drate' && kind !== 'dconn') return undefined;
  // An IPv6 address has colons of its own.
  const match = rest.join(':');
  const { ratePerSecond, concurrency } = route?.destinations?.find((limit) => limit.match === match) ?? {};
  if (kind === 'drate') return ratePerSecond ? { total: ratePerSecond, whole: false } : undefined;
  return concurrency ? { total: concurrency, whole: true, within: connectionsKey(route!.id) } : undefined;
}
