import type { Logger } from '../../observe/log.ts';
import type { RouteBreakerChange } from '../sending/route-watch.ts';

const words: Record<RouteBreakerChange['to'], string> = {
  open: 'the breaker of a route opened: nothing is sent through it for now',
  'half-open': 'the breaker of a route is half open: a few messages try the provider',
  closed: 'the breaker of a route closed: it sends again',
  off: 'the breaker of a route was taken away while it held the route back',
};

/** One line for each change on each worker: an outage is seen where nobody looks at lanes. */
export function logBreaker(log: Logger, { route, from, to, errorCode }: RouteBreakerChange): void {
  const fields = { route, from, to, ...(errorCode !== undefined && { lastError: errorCode }) };
  if (to === 'open') log.warn(fields, words[to]);
  else log.info(fields, words[to]);
}
