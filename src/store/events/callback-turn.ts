import { limits } from '../../message/limits.ts';
import type { Database, Queryable } from '../database.ts';
import { type ChunkRow, insertChunks } from '../intake/insert-chunks.ts';
import { feedCursor, parseFeedCursor } from '../reading/feed-cursor.ts';
import { compareFeedPlaces, type FeedPlace } from '../reading/feed-place.ts';

/** How far the change feed is made into callbacks: up to `front` for all accounts but those apart, who have not come as far. */
export interface CallbackProgress {
  front: FeedPlace;
  /** By account. */
  apart: ReadonlyMap<number, FeedPlace>;
}

/** The last turn that was made, and how far all are with it. */
export interface CallbackTurn {
  number: number;
  progress: CallbackProgress;
}

/** As it is stored; of the turn of this number alone. */
interface StoredProgress {
  number: number;
  place: string;
  apart: { accountId: number; place: string }[];
}

const newestStatement = {
  name: 'newest_callback_turn',
  // Named otherwise than the column, by which it is sorted: as texts, 9 would come after 10.
  text: 'SELECT number::text AS turn, place, progress FROM callback_turn ORDER BY number DESC LIMIT 1',
};

export async function readCallbackTurn(database: Queryable): Promise<CallbackTurn | undefined> {
  const { rows } = await database.query<{ turn: string; place: string; progress: StoredProgress | null }>(
    newestStatement,
  );
  if (rows[0] === undefined) return undefined;
  const number = Number(rows[0].turn);
  const { place, progress } = rows[0];
  // A release that knows of nobody apart has made the turn: everybody goes on from the same place.
  const stored = progress?.number === number ? progress : { place, apart: [] };
  const apart = stored.apart.map((each) => [each.accountId, parseFeedCursor(each.place)!] as const);
  return { number, progress: { front: parseFeedCursor(stored.place)!, apart: new Map(apart) } };
}

const turnStatement = {
  name: 'make_callback_turn',
  text: `INSERT INTO callback_turn AS present (shard, number, place, progress) VALUES ($1, $2, $3, $4)
    ON CONFLICT (shard) DO UPDATE SET number = excluded.number, place = excluded.place, progress = excluded.progress
    WHERE present.number < excluded.number`,
};

/** Odd, so that 1,024 turns in a row are made on as many shards. */
const shardStep = 613;

/** The shard of a turn: it holds the turn's row and its callbacks, so that one transaction touches one shard. */
export function shardOfTurn(number: number): number {
  return (number * shardStep) % limits.shards;
}

/**
 * Makes the turn behind one that was read: how far it comes, in places of one epoch, and the callbacks that came of the feed up to there.
 * False when somebody else has made it: nothing is stored then. Repeated after a COMMIT whose answer was lost, it answers false
 * as well.
 */
export function makeCallbackTurn(
  database: Database,
  { number, progress, chunks }: CallbackTurn & { chunks: readonly ChunkRow[] },
): Promise<boolean> {
  const shard = shardOfTurn(number);
  const places = [progress.front, ...progress.apart.values()];
  const last = places.reduce((least, each) => (compareFeedPlaces(each, least) < 0 ? each : least));
  return database.transaction(async (transaction) => {
    const values = [shard, number, feedCursor(last), storedProgress(number, progress)];
    const { rowCount } = await transaction.query(turnStatement, values);
    if (rowCount === 0) return false;
    if (chunks.length > 0) await insertChunks(transaction, { shard, batch: null, chunks });
    return true;
  });
}

function storedProgress(number: number, { front, apart }: CallbackProgress): string | null {
  if (apart.size === 0) return null;
  const each = [...apart].map(([accountId, place]) => ({ accountId, place: feedCursor(place) }));
  return JSON.stringify({ number, place: feedCursor(front), apart: each } satisfies StoredProgress);
}
