import { isDeepStrictEqual } from 'node:util';
import type { Route } from '../../message/route.ts';
import type { RouteChange } from '../../observe/log-route-change.ts';

/** What an operator steers a route by. */
const told = [
  'paused',
  'ratePerSecond',
  'concurrency',
  'destinations',
  'sendWindow',
  'retry',
  'breaker',
  'onUncertain',
  'accounts',
  'connector',
  'channel',
  'deleted',
] as const satisfies (keyof Route)[];

/** Follows the routes: what is another one than at the last look. */
export class RouteChanges {
  #known: ReadonlyMap<number, Route>;

  constructor(routes: Iterable<Route>) {
    this.#known = byId(routes);
  }

  look(routes: Iterable<Route>): RouteChange[] {
    const before = this.#known;
    this.#known = byId(routes);
    return [...this.#known.values()].flatMap((route) => {
      const change = changeOf(before.get(route.id), route);
      return change === undefined ? [] : [change];
    });
  }
}

function changeOf(before: Route | undefined, route: Route): RouteChange | undefined {
  if (before === undefined) {
    const { paused, ratePerSecond, concurrency, connector } = route;
    return {
      route: route.name,
      changed: ['made'],
      values: { paused, ratePerSecond, concurrency, connector },
    };
  }
  if (before.version === route.version && before.paused === route.paused) return undefined;
  const changed = told.filter((name) => !isDeepStrictEqual(before[name], route[name]));
  const values = Object.fromEntries(changed.map((name) => [name, route[name] ?? null]));
  const hasOptions = !isDeepStrictEqual(before.options, route.options);
  const names = hasOptions ? [...changed, 'options'] : changed;
  return names.length === 0 ? undefined : { route: route.name, changed: names, values };
}

function byId(routes: Iterable<Route>): ReadonlyMap<number, Route> {
  return new Map([...routes].map((route) => [route.id, route]));
}
