import type { Queryable } from '../database.ts';
import { type FeedPlace, placeAt } from './feed-place.ts';

/**
 * `found`: to be read on from there. `ahead`: nothing that has ended here has come as far; where that stays so, the epoch has to
 * be read again from its beginning. `unknown`: of an epoch that is not in this database.
 */
export type FoundPlace =
  | { kind: 'found'; place: FeedPlace }
  | { kind: 'ahead'; epochStart: FeedPlace }
  | { kind: 'unknown' };

/** `later`: how far the epochs that have begun since put it back. */
const statement = {
  name: 'feed_find_place',
  text: `SELECT newest.name AS epoch, newest.begins::text AS begins,
      (newest.shift + pg_snapshot_xmax(pg_current_snapshot())::text::bigint)::text AS "end",
      own.number IS NOT NULL AS known,
      (SELECT min(begins) FROM feed_epoch WHERE number > own.number)::text AS later
    FROM (SELECT * FROM feed_epoch ORDER BY number DESC LIMIT 1) AS newest
    LEFT JOIN feed_epoch AS own ON own.name IS NOT DISTINCT FROM $1`,
};

/** Where to read on from a place that was given at any time, perhaps by another server or before a failover. */
export async function findFeedPlace(database: Queryable, given: FeedPlace): Promise<FoundPlace> {
  const { rows } = await database.query<{
    epoch: string | null;
    begins: string;
    end: string;
    known: boolean;
    later: string | null;
  }>(statement, [given.epoch]);
  const { epoch, begins, end, known, later } = rows[0]!;
  if (!known) return { kind: 'unknown' };
  if (later !== null && given.writtenBy >= BigInt(later)) {
    return { kind: 'found', place: placeAt(BigInt(later), epoch) };
  }
  if (given.writtenBy > BigInt(end)) return { kind: 'ahead', epochStart: placeAt(BigInt(begins), epoch) };
  return { kind: 'found', place: { ...given, epoch } };
}
