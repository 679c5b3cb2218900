import { type Static, Type } from 'typebox';
import { readMatch } from '../../message/destination-match.ts';
import type { ErrorItem } from '../../message/error-codes.ts';
import type { Channel } from '../../message/fields.ts';
import type { DestinationLimit } from '../../message/route.ts';
import { concurrencyMax, ratePerSecondMax } from './route-limits.ts';

const destinationsMax = 100;
/** A domain name has at most 253 characters. */
const matchCharsMax = 256;

export const Destinations = Type.Array(
  Type.Object(
    {
      match: Type.String({
        maxLength: matchCharsMax,
        description:
          'the beginning of numbers (`+31`; the longest that fits counts), a host or domain (`example.com`), all below ' +
          'one together (`*.example.com`), or every other host or domain, each for itself (`*`)',
      }),
      ratePerSecond: Type.Optional(
        Type.Number({ exclusiveMinimum: 0, maximum: ratePerSecondMax, description: 'messages' }),
      ),
      concurrency: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: concurrencyMax,
          description: 'requests at once that carry a message for it, over all workers',
        }),
      ),
    },
    { additionalProperties: false },
  ),
  {
    minItems: 1,
    maxItems: destinationsMax,
    description:
      'Limits within those of the route. What has to wait for its destination holds nobody else up, but for later messages of the same account, route and priority when very much waits (docs/limits.md). What fits none is ' +
      'limited by the route alone.',
  },
);

/** The list with its matches as they are compared, and every fault of it. */
export function readDestinations(
  list: Static<typeof Destinations>,
  channel: Channel | undefined,
): { destinations: DestinationLimit[]; errors: ErrorItem[] } {
  const destinations: DestinationLimit[] = [];
  const errors: ErrorItem[] = [];
  const seen = new Set<string>();
  for (const [index, destination] of list.entries()) {
    const pointer = `/destinations/${index}`;
    const { match: text, ratePerSecond, concurrency } = destination;
    if (ratePerSecond === undefined && concurrency === undefined) {
      errors.push({ pointer, code: 'required', detail: 'must have ratePerSecond or concurrency' });
    }
    const read = readMatch(text, channel);
    if ('problem' in read) {
      errors.push({ pointer: `${pointer}/match`, code: 'invalid_value', detail: read.problem });
      continue;
    }
    if (seen.has(read.match)) {
      const detail = `there are several entries for ${read.match}`;
      errors.push({ pointer: `${pointer}/match`, code: 'invalid_value', detail });
    }
    seen.add(read.match);
    destinations.push({ ...destination, match: read.match });
  }
  return { destinations, errors };
}
