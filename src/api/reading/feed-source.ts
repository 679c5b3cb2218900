import { ProblemError } from '../../message/error-codes.ts';
import type { Queryable } from '../../store/database.ts';
import type { FeedPlace } from '../../store/reading/feed-place.ts';
import { type FoundPlace, findFeedPlace } from '../../store/reading/find-feed-place.ts';

export interface FeedSources {
  /** Where this read may be made: the primary or a replica. */
  chosen: Queryable;
  primary: Queryable;
  /** Writes down where the feed is on the primary. */
  settle: () => Promise<void>;
}

/**
 * Where the changes behind a cursor are read, and from which place: all on `chosen` if the cursor can be known there. Only
 * the primary can tell that a cursor is of a history that is gone, before numbers that it has passed are used again: a
 * replica may merely not have come as far.
 * @throws ProblemError `cursor_outdated`
 */
export async function feedSource(
  cursor: FeedPlace,
  { chosen, primary, settle }: FeedSources,
): Promise<{ database: Queryable; after: FeedPlace }> {
  let found = await findFeedPlace(chosen, cursor);
  if (found.kind === 'found') return { database: chosen, after: found.place };
  if (chosen !== primary) found = await findFeedPlace(primary, cursor);
  if (found.kind !== 'found') {
    // A primary that was promoted this moment, and nobody has written it down yet. Or a standby has shown what is not ended on
    // its primary, which waits for it: this is a transaction behind that one.
    await settle();
    found = await findFeedPlace(primary, cursor);
  }
  return { database: primary, after: certainPlace(found) };
}

function certainPlace(found: FoundPlace): FeedPlace {
  if (found.kind === 'found') return found.place;
  // The cursor is of another database, or of a moment (`after=now`) that a server that crashed counts again. From which number
  // on nobody knows any more: what was settled then may have been passed since.
  if (found.kind === 'ahead') return found.epochStart;
  throw new ProblemError(
    'cursor_outdated',
    'query /after: this place is of a state of the database that is gone: it was restored from an older backup, or is another ' +
      'one. Read again without `after`, from the oldest change that is kept, and pass over events whose `id` you have; or go on ' +
      'from this moment with `after=now`, without what came between.',
  );
}
