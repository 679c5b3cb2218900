import type { DeliveryControl } from './delivery-control.ts';
import type { SharedLimit } from './plan-grants.ts';

/** What workers share goes by these names in demands and grants. */
export function rateKey(routeId: number): string {
  return `rate:${routeId}`;
}

export function connectionsKey(routeId: number): string {
  return `conn:${routeId}`;
}

/** Nobody asks for more of it, so that each worker has an equal part. */
export function destinationKey(routeId: number, match: string): string {
  return `destination:${routeId}:${match}`;
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
  const [kind, id] = key.split(':');
  if (kind === 'account') {
    const { ratePerSecond } = control.accountById(Number(id))?.limits ?? {};
    return ratePerSecond === undefined ? undefined : { total: ratePerSecond, whole: false };
  }
  const route = control.routeById(Number(id));
  if (kind === 'conn' && route) return { total: route.concurrency, whole: true };
  if (kind === 'rate' && route?.ratePerSecond) return { total: route.ratePerSecond, whole: false };
  return undefined;
}
