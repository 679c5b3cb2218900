/**
 * Where a reader of the change feed is: behind the message `offset` of the row (`writtenBy`, `shard`, `id`, `seq`).
 * Everything of transactions below `writtenBy` is behind it.
 */
export interface FeedPlace {
  /** In which numbers are as they were when it was given; null for the first, and for cursors of earlier releases. */
  epoch: string | null;
  writtenBy: bigint;
  shard: number;
  id: string;
  seq: bigint;
  offset: number;
}

/** Before everything that the transaction `writtenBy` and those after it wrote. */
export function placeAt(writtenBy: bigint, epoch: string | null): FeedPlace {
  return { epoch, writtenBy, shard: -1, id: '00000000-0000-0000-0000-000000000000', seq: -1n, offset: -1 };
}

/** Behind all messages of a row. */
export function placeBehind(
  { writtenBy, shard, id, seq }: Pick<FeedPlace, 'writtenBy' | 'shard' | 'id' | 'seq'>,
  epoch: string | null,
): FeedPlace {
  return { epoch, writtenBy, shard, id, seq, offset: Number.POSITIVE_INFINITY };
}

export const feedStart: FeedPlace = placeAt(0n, null);

/** Negative where `a` lies before `b`, as a sort wants it. Places of different epochs do not compare. */
export function compareFeedPlaces(a: FeedPlace, b: FeedPlace): number {
  for (const member of ['writtenBy', 'shard', 'id', 'seq', 'offset'] as const) {
    if (a[member] < b[member]) return -1;
    if (a[member] > b[member]) return 1;
  }
  return 0;
}
