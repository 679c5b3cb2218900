import { decodeTallies, SeriesTallies } from '../../message/statistics/series-tallies.ts';
import type { Database, Queryable } from '../database.ts';
import type { Step } from './periods.ts';
import { nameDatabase } from './settle-target.ts';
import { takeRows } from './take-rows.ts';

/** A part of statistics on its way to where they are kept: arrives whole or not at all, and once however often it is sent. */
export interface Fold {
  id: string;
  /** Null: entries by minute, to be added to every step. Else rows of this step's table, which are moved. */
  step: Step | null;
  /** Of the database that it comes from. */
  source: string;
  entries: string;
}

export interface FoldTurn {
  /** The oldest fold that is sealed: the next to be moved. */
  sealed: Fold | undefined;
  /** What was committed before this moment has been moved when that one has been; undefined while more waits. */
  knownUntil: Date | undefined;
  /** There is more to fold, or to move behind that one. */
  more: boolean;
  /** Names this database. */
  source: string;
  /** Statistics are kept in another database than the one that was meant. */
  isElsewhere: boolean;
}

/** Deltas taken in one transaction: some 100 kB of JSON, of group commits with many accounts some 2 MB. */
const deltasMax = 500;
/** So many folds of one level become one of the next: each entry is written again as often as there are levels. */
const mergedFolds = 8;
/** Beyond this length a fold is not merged any more: it is moved in one transaction. */
const foldLengthMax = 1_000_000;
const minuteMs = 60_000;

/**
 * Takes deltas out of their table and puts their sums by minute into the queue, unless somebody else is at it: undefined then.
 * `seal`: gives the oldest fold of the queue away, to be moved by `addFold` to the database `place` (without it to this one) and
 * dropped by `dropFold`. Where statistics were kept here before, they are put into the queue as well.
 */
export function foldDeltas(
  database: Database,
  { seal, place }: { seal: boolean; place?: string | undefined },
): Promise<FoldTurn | undefined> {
  return database.transaction(async (transaction) => {
    const { rows } = await transaction.query<Queue & Record<string, unknown>>(lockStatement);
    if (rows[0] === undefined) return undefined;
    const queue = { ...rows[0], id: rows[0].id ?? (await nameDatabase(transaction)) };
    const keptAt = queue.target ?? queue.id;
    const taken = await takeDeltas(transaction);
    const entries = sumOf(taken);
    if (entries !== '') await transaction.query(insertStatement, [0, entries]);
    await mergeFolds(transaction);
    // Somebody may have decided since that statistics are kept elsewhere: whoever moves them there goes on.
    const isHere = seal && (place ?? queue.id) === keptAt;
    const isMoving = isHere && keptAt !== queue.id && (await moveRows(transaction));
    const oldest = isHere ? await sealOldest(transaction) : undefined;
    const more = taken.length === deltasMax || (oldest?.waiting ?? 0) > 1 || isMoving;
    const sealed = oldest && { id: oldest.id, step: oldest.step, entries: oldest.entries, source: queue.id };
    const isElsewhere = seal && !isHere;
    const knownUntil = more || isElsewhere ? undefined : queue.now;
    return { sealed, more, knownUntil, source: queue.id, isElsewhere };
  });
}

const lockStatement = {
  name: 'lock_statistics_queue',
  text: 'SELECT id, target, now() AS now FROM statistics_queue FOR UPDATE SKIP LOCKED',
};

interface Queue {
  id: string | null;
  target: string | null;
  now: Date;
}

/** What was kept here before is put into the queue, piece by piece; false when nothing of it is left. */
async function moveRows(transaction: Queryable): Promise<boolean> {
  const { rows } = await transaction.query<{ waits: boolean }>({
    name: 'statistics_rows_wait',
    text: 'SELECT EXISTS (SELECT FROM statistics_fold WHERE step IS NOT NULL) AS waits',
  });
  if (rows[0]!.waits) return true;
  const taken = await takeRows(transaction);
  if (taken === undefined) return false;
  await transaction.query(
    {
      name: 'insert_statistics_rows',
      text: 'INSERT INTO statistics_fold (level, step, entries) VALUES (0, $1, $2)',
    },
    [taken.step, taken.entries],
  );
  return true;
}

interface Delta {
  shard: number;
  id: string;
  slot: number;
  at: number;
  entries: string;
}

async function takeDeltas(transaction: Queryable): Promise<Delta[]> {
  const { rows } = await transaction.query<Delta & Record<string, unknown>>({
    name: 'read_statistics_deltas',
    text: `SELECT shard, id::text AS id, slot, (extract(epoch FROM at) * 1000)::float8 AS at, entries
        FROM statistics_delta LIMIT ${deltasMax}`,
  });
  if (rows.length === 0) return rows;
  await transaction.query(
    {
      name: 'delete_statistics_deltas',
      text: `DELETE FROM statistics_delta AS delta
        USING unnest($1::smallint[], $2::bigint[], $3::smallint[]) AS taken (shard, id, slot)
        WHERE delta.shard = taken.shard AND delta.id = taken.id AND delta.slot = taken.slot`,
    },
    [rows.map(({ shard }) => shard), rows.map(({ id }) => id), rows.map(({ slot }) => slot)],
  );
  return rows;
}

/** By minute, from ages that are told from the moment of each delta. */
function sumOf(deltas: readonly Delta[]): string {
  const tallies = new SeriesTallies();
  for (const { at, entries } of deltas) {
    for (const tally of decodeTallies(entries)) {
      tallies.add({ ...tally, time: Math.floor((at - tally.time) / minuteMs) });
    }
  }
  return tallies.encode();
}

const insertStatement = {
  name: 'insert_statistics_fold',
  text: 'INSERT INTO statistics_fold (level, entries) VALUES ($1, $2)',
};

/** What cannot be moved yet grows with series and minutes only. Level by level, so that nothing is rewritten each second. */
async function mergeFolds(transaction: Queryable): Promise<void> {
  const { rows } = await transaction.query<{ level: number; ids: string[] }>({
    name: 'mergeable_statistics_folds',
    text: `SELECT level, array_agg(id ORDER BY number) AS ids FROM statistics_fold
      WHERE sealed_at IS NULL AND step IS NULL AND length(entries) < ${foldLengthMax}
      GROUP BY level HAVING count(*) >= ${mergedFolds} ORDER BY level LIMIT 1`,
  });
  const mergeable = rows[0];
  if (!mergeable) return;
  const { rows: folds } = await transaction.query<{ entries: string }>(
    {
      name: 'take_statistics_folds',
      text: 'DELETE FROM statistics_fold WHERE id = ANY($1::uuid[]) RETURNING entries',
    },
    [mergeable.ids.slice(0, mergedFolds)],
  );
  const tallies = new SeriesTallies();
  for (const { entries } of folds) for (const tally of decodeTallies(entries)) tallies.add(tally);
  await transaction.query(insertStatement, [mergeable.level + 1, tallies.encode()]);
}

async function sealOldest(
  transaction: Queryable,
): Promise<(Omit<Fold, 'source'> & { waiting: number }) | undefined> {
  const { rows } = await transaction.query<Omit<Fold, 'source'> & { waiting: number }>({
    name: 'seal_statistics_fold',
    text: `UPDATE statistics_fold SET sealed_at = coalesce(sealed_at, now())
      WHERE id = (SELECT id FROM statistics_fold ORDER BY sealed_at NULLS LAST, number LIMIT 1)
      RETURNING id, step, entries, (SELECT count(*) FROM statistics_fold)::integer AS waiting`,
  });
  return rows[0];
}

const dropStatement = {
  name: 'drop_statistics_fold',
  text: 'DELETE FROM statistics_fold WHERE id = $1 AND sealed_at IS NOT NULL',
};

/** It has arrived. */
export async function dropFold(database: Queryable, { id }: Pick<Fold, 'id'>): Promise<void> {
  await database.query(dropStatement, [id]);
}
