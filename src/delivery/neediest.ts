import type { SharedLimit } from './plan-grants.ts';

/** Rates that a demand and a grant name at most, so that neither grows with the number of accounts that have one. */
const ratesNamedMax = 200;

export interface Need {
  key: string;
  limit: SharedLimit;
  /** In parts of the limit. */
  part: number;
}

/**
 * The keys of the needs that are named. Of rates they are the largest ones: where a need is a small part of its limit an
 * equal share is enough, which is what a worker has of a limit that is not named. Connections all are, which routes
 * have and not accounts: where there are fewer than workers, an equal share of them is none.
 */
export function neediest(needs: readonly Need[]): string[] {
  const keysOf = (some: readonly Need[]) => some.map(({ key }) => key);
  const rates = needs.filter(({ limit }) => !limit.whole);
  if (rates.length <= ratesNamedMax) return keysOf(needs);
  rates.sort((a, b) => b.part - a.part || (a.key < b.key ? -1 : 1));
  return keysOf([...needs.filter(({ limit }) => limit.whole), ...rates.slice(0, ratesNamedMax)]);
}
