import { limits } from '../../message/limits.ts';
import type { Database, Queryable } from '../database.ts';
import { type ChunkRow, insertChunks } from '../intake/insert-chunks.ts';

/** The last turn that was made: the change feed is done up to `place`. */
export interface CallbackTurn {
  number: number;
  place: string;
}

const newestStatement = {
  name: 'newest_callback_turn',
  // Named otherwise than the column, by which it is sorted: as texts, 9 would come after 10.
  text: 'SELECT number::text AS turn, place FROM callback_turn ORDER BY number DESC LIMIT 1',
};

export async function readCallbackTurn(database: Queryable): Promise<CallbackTurn | undefined> {
  const { rows } = await database.query<{ turn: string; place: string }>(newestStatement);
  return rows[0] && { number: Number(rows[0].turn), place: rows[0].place };
}

const turnStatement = {
  name: 'make_callback_turn',
  text: `INSERT INTO callback_turn AS present (shard, number, place) VALUES ($1, $2, $3)
    ON CONFLICT (shard) DO UPDATE SET number = excluded.number, place = excluded.place
    WHERE present.number < excluded.number`,
};

/** Odd, so that 1,024 turns in a row are made on as many shards. */
const shardStep = 613;

/** The shard of a turn: it holds the turn's row and its callbacks, so that one transaction touches one shard. */
export function shardOfTurn(number: number): number {
  return (number * shardStep) % limits.shards;
}

/**
 * Makes the turn behind one that was read: its place, and the callbacks that came of the feed up to there. False when
 * somebody else has made it: nothing is stored then. Repeated after a COMMIT whose answer was lost, it answers false as well.
 */
export function makeCallbackTurn(
  database: Database,
  { number, place, chunks }: CallbackTurn & { chunks: readonly ChunkRow[] },
): Promise<boolean> {
  const shard = shardOfTurn(number);
  return database.transaction(async (transaction) => {
    const { rowCount } = await transaction.query(turnStatement, [shard, number, place]);
    if (rowCount === 0) return false;
    if (chunks.length > 0) await insertChunks(transaction, { shard, batch: null, chunks });
    return true;
  });
}
