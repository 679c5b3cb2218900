import { type FeedPlace, placeAt } from './feed-place.ts';

/** A place as users carry it: the name of its epoch before a colon, unless it is the first. */
export function feedCursor(place: FeedPlace): string {
  const { epoch, writtenBy, shard, id, seq, offset } = place;
  const within = epoch === null ? '' : `${epoch}:`;
  if (shard < 0) return `${within}${writtenBy}`;
  const passed = Number.isFinite(offset) ? offset + 1 : 'all';
  return `${within}${writtenBy}.${shard}.${id}.${seq}.${passed}`;
}

/** Undefined for what is no cursor. */
export function parseFeedCursor(text: string): FeedPlace | undefined {
  const parts =
    /^(?:([0-9a-f]{8}):)?(\d{1,18})(?:\.(\d{1,4})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(\d{1,18})\.(\d{1,4}|all))?$/.exec(
      text,
    );
  if (parts === null) return undefined;
  const [, epoch = null, writtenBy, shard, id, seq, offset] = parts;
  if (shard === undefined) return placeAt(BigInt(writtenBy!), epoch);
  return {
    epoch,
    writtenBy: BigInt(writtenBy!),
    shard: Number(shard),
    id: id!,
    seq: BigInt(seq!),
    offset: offset === 'all' ? Number.POSITIVE_INFINITY : Number(offset) - 1,
  };
}
