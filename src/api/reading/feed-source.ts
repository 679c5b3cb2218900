import { ProblemError } from '../../message/error-codes.ts';
import type { Database, Queryable } from '../../store/database.ts';
import { type FoundPlace, findFeedPlace } from '../../store/reading/find-feed-place.ts';
import type { FeedPlace } from '../../store/reading/read-events.ts';
import { settleFeed } from '../../store/reading/settle-feed.ts';

/**
 * Where the changes behind a cursor are read, and from which place: all on `chosen` if the cursor can be known there. Only
 * the primary can tell that a cursor is of a history that is gone; a replica may merely not have come as far.
 * @throws ProblemError `cursor_outdated`
 */
export async function feedSource(
  cursor: FeedPlace,
  { chosen, primary }: { chosen: Queryable; primary: Database },
): Promise<{ database: Queryable; after: FeedPlace }> {
  let found = await findFeedPlace(chosen, cursor);
  if (found.kind === 'found') return { database: chosen, after: found.place };
  if (chosen !== primary) {
    if (found.kind === 'ahead') return { database: chosen, after: cursor };
    found = await findFeedPlace(primary, cursor);
  }
  if (found.kind !== 'found') {
    // A primary that was promoted this moment, and nobody has written it down yet. Or a standby has shown what is not ended on
    // its primary, which waits for it: this is a transaction behind that one.
    await settleFeed(primary, { while: 'running' });
    found = await findFeedPlace(primary, cursor);
  }
  return { database: primary, after: certainPlace(found) };
}

function certainPlace(found: FoundPlace): FeedPlace {
  if (found.kind === 'found') return found.place;
  // A server that crashed counts again what was rolled back in its last moment; or the cursor is another database's.
  if (found.kind === 'ahead') return found.epochStart;
  throw new ProblemError(
    'cursor_outdated',
    'query /after: this place is of a state of the database that is gone: it was restored from an older backup, or is another ' +
      'one. Read again without `after`, from the oldest change that is kept, and pass over events whose `id` you have; or go on ' +
      'from this moment with `after=now`, without what came between.',
  );
}
