import { addWaits, type Waits } from './waits.ts';

/** What is counted, in the order in which it is stored: never reorder, only append. */
export const counters = [
  'accepted',
  'attempts',
  'sent',
  'delivered',
  'failed',
  'expired',
  'canceled',
  'suppressed',
  'uncertain',
] as const;

export type Counter = (typeof counters)[number];

/** What is counted apart: messages of an account on a route, and of them those of a batch, with a tag, or both. */
export interface SeriesKey {
  accountId: number;
  routeId: number;
  batch: string | null;
  tag: string | null;
}

/** What was counted of a series at some time. */
export interface SeriesTally extends SeriesKey {
  time: number;
  /** By the index of `counters`. */
  counts: number[];
  /** From when the message could have left to its first attempt. */
  waits: Waits;
}

/** Tags counted by themselves of one account at one time: what comes beyond them is counted under the remainder. */
export const tagsCountedMax = 100;
export const remainingTags = '(others)';

/**
 * Time, account, route, batch and tag or 0, pairs of counter and number, pairs of bucket and number. The time is in ms before
 * the moment of a delta, and a minute since 1970 in a fold.
 */
type Entry = [
  number,
  number,
  number,
  string | 0,
  string | 0,
  counts: readonly number[],
  waits: readonly number[],
];

/** Sums by time and series. */
export class SeriesTallies {
  readonly #tallies = new Map<string, SeriesTally>();

  get size(): number {
    return this.#tallies.size;
  }

  [Symbol.iterator](): Iterator<SeriesTally> {
    return this.#tallies.values();
  }

  at(time: number, key: SeriesKey): SeriesTally {
    const { accountId, routeId, batch, tag } = key;
    const name = `${time} ${accountId} ${routeId} ${batch} ${tag === null ? '' : `#${tag}`}`;
    let tally = this.#tallies.get(name);
    if (tally === undefined) {
      tally = { accountId, routeId, batch, tag, time, counts: noCounts(), waits: new Map() };
      this.#tallies.set(name, tally);
    }
    return tally;
  }

  add(tally: SeriesTally): void {
    addTally(this.at(tally.time, tally), tally);
  }

  /** JSON; empty where there is nothing. */
  encode(): string {
    const entries: Entry[] = [];
    for (const { time, accountId, routeId, batch, tag, counts, waits } of this) {
      const counted = counts.flatMap((count, counter) => (count === 0 ? [] : [counter, count]));
      const waited = [...waits].flat();
      if (counted.length + waited.length === 0) continue;
      entries.push([time, accountId, routeId, batch ?? 0, tag ?? 0, counted, waited]);
    }
    return entries.length === 0 ? '' : JSON.stringify(entries);
  }
}

export function addTally(
  sum: Pick<SeriesTally, 'counts' | 'waits'>,
  { counts, waits }: Pick<SeriesTally, 'counts' | 'waits'>,
): void {
  for (const [counter, count] of counts.entries()) sum.counts[counter]! += count;
  addWaits(sum.waits, waits);
}

export function noCounts(): number[] {
  return new Array<number>(counters.length).fill(0);
}

/** What `encode` made. */
export function decodeTallies(text: string): SeriesTally[] {
  return (JSON.parse(text) as Entry[]).map(([time, accountId, routeId, batch, tag, counted, waited]) => {
    const counts = noCounts();
    for (let index = 0; index < counted.length; index += 2) counts[counted[index]!] = counted[index + 1]!;
    const waits: Waits = new Map();
    for (let index = 0; index < waited.length; index += 2) waits.set(waited[index]!, waited[index + 1]!);
    return {
      ...{ time, accountId, routeId, counts, waits },
      batch: batch === 0 ? null : batch,
      tag: tag === 0 ? null : tag,
    };
  });
}

/** Names tags until there are too many of them. */
export class TagLimit {
  readonly #known = new Map<string, Set<string>>();

  /** `group`: what has its own limit. */
  nameOf(group: string, tag: string): string {
    let known = this.#known.get(group);
    if (known === undefined) {
      known = new Set();
      this.#known.set(group, known);
    }
    if (!known.has(tag)) {
      if (known.size >= tagsCountedMax) return remainingTags;
      known.add(tag);
    }
    return tag;
  }

  /** These are there already. */
  note(group: string, tags: readonly string[]): void {
    this.#known.set(group, new Set(tags.filter((tag) => tag !== remainingTags)));
  }
}
