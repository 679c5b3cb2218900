import type { SharedLimit } from './plan-grants.ts';
import { wholeConnections } from './whole-connections.ts';

/** Rates that a demand and a grant name at most, so that neither grows with the number of accounts that have one. */
const ratesNamedMax = 200;
/** The same of connections to destinations, of which a route may limit a hundred. */
const destinationsNamedMax = 500;

export interface Need {
  key: string;
  limit: SharedLimit;
  /** In parts of the limit. */
  part: number;
}

/**
 * The keys of the needs that are named; of a limit that is not, each worker has `equalPart`. Of rates they are the
 * largest needs: where one is a small part of its limit an equal part is enough. Of connections to destinations they are first
 * those of which an equal part is none, so that nobody could send there. The connections of routes all are.
 */
export function neediest(needs: readonly Need[], equalPart: number): string[] {
  const [rates, ofRoutes, ofDestinations]: [Need[], Need[], Need[]] = [[], [], []];
  for (const need of needs) {
    if (!need.limit.whole) rates.push(need);
    else (need.limit.within === undefined ? ofRoutes : ofDestinations).push(need);
  }
  const isScarce = ({ limit }: Need) => wholeConnections(limit.total, equalPart) < 1;
  const byNeed = (a: Need, b: Need) => b.part - a.part || (a.key < b.key ? -1 : 1);
  if (rates.length > ratesNamedMax) rates.sort(byNeed);
  if (ofDestinations.length > destinationsNamedMax)
    ofDestinations.sort((a, b) => Number(isScarce(b)) - Number(isScarce(a)) || byNeed(a, b));
  const named = [
    ...ofRoutes,
    ...ofDestinations.slice(0, destinationsNamedMax),
    ...rates.slice(0, ratesNamedMax),
  ];
  return named.map(({ key }) => key);
}
