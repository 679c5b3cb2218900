import type { DestinationLimit, Route } from '../../src/message/route.ts';
import type { SeededRandom } from './seeded-random.ts';

/** To whom the messages of a chunk go, in their order. */
export function recipientOf(offset: number): string {
  return offset < 3 ? `+3161234${offset}` : `${offset}@${offset === 3 ? 'one' : 'two'}.example`;
}

/** Limits of destinations on one route: of one number, of the other numbers, and of each domain for itself. */
export function drawDestinations(random: SeededRandom): DestinationLimit[] {
  const limits = () => ({
    ...(random.chance(0.5) && { ratePerSecond: random.whole(20, 100) }),
    concurrency: random.pick([1, 1, 2, 4]),
  });
  return [
    { match: recipientOf(0), ...limits() },
    { match: '+31', ...limits() },
    { match: '*', ...limits() },
  ];
}

/** What is limited on a route: all of it, or one of its destinations. */
export interface Place {
  name: string;
  concurrency: number;
  ratePerSecond: number | undefined;
  /** Of the messages of one request, those that count there. */
  messages: number;
}

/** Where the messages of one request count. */
export function placesOf(route: Route, recipients: readonly string[]): Place[] {
  const { name, concurrency, ratePerSecond, destinations = [] } = route;
  const places = new Map<string, Place>();
  places.set(name, { name, concurrency, ratePerSecond, messages: recipients.length });
  for (const to of recipients) {
    const prefixes = destinations.filter(({ match }) => to.startsWith(match));
    const limit =
      prefixes.sort((a, b) => b.match.length - a.match.length)[0] ??
      (to.includes('@') ? destinations.find(({ match }) => match === '*') : undefined);
    if (limit === undefined) continue;
    const where = `${limit.match === '*' ? to.slice(to.indexOf('@') + 1) : limit.match} on ${name}`;
    const place = places.get(where);
    if (place) place.messages++;
    else {
      const { concurrency: requests = Number.POSITIVE_INFINITY, ratePerSecond: rate } = limit;
      places.set(where, { name: where, concurrency: requests, ratePerSecond: rate, messages: 1 });
    }
  }
  return [...places.values()];
}
