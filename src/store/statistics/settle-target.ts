import type { Database, Queryable } from '../database.ts';

/** Statistics are kept in another database than the one that is configured: a person must say which is meant. */
export class StatisticsPlaceError extends Error {
  override name = 'StatisticsPlaceError';
}

/** As the moment up to which all is known. */
export const nothingKnown = '1970-01-01T00:00:00Z';

interface Queue {
  /** Names the database; null before it is first used. */
  id: string | null;
  /** Names the one where its statistics are kept; null for itself. */
  target: string | null;
}

const queueText = 'SELECT id, target FROM statistics_queue';

/**
 * Why the statistics of `database` are not, and may not be, kept in `statistics`; undefined where nothing is in the way. Nothing is
 * written, and `statistics` may be without any table.
 */
export async function whyNotThere(
  database: Queryable,
  statistics: Queryable,
): Promise<StatisticsPlaceError | undefined> {
  const { id, target } = await readQueue(database);
  const place = (await hasTable(statistics, 'statistics_queue')) ? await readQueue(statistics) : undefined;
  if (target !== null && target === place?.id) return undefined;
  if (id !== null && id === place?.id) return isCopy();
  if (target !== null && target !== id) return keptElsewhere();
  return (await isOfAnother(statistics, id)) ? ofAnother() : undefined;
}

/** It is decided that the statistics of `database` are kept in `statistics`. */
export async function isSettled(database: Queryable, statistics: Queryable): Promise<boolean> {
  const [{ target }, place] = await Promise.all([readQueue(database), readQueue(statistics)]);
  return target !== null && target === place.id;
}

/**
 * Decides, once and for all servers, that the statistics of `database` are kept in `statistics`. What another server was about to
 * add in the old place arrives in the new one; what it has added there is moved with all that is there. Repeating it changes nothing.
 * Answers what names the new place.
 * @throws StatisticsPlaceError when they are kept in a third one, or when `statistics` is of another installation: its accounts
 * and routes have the same numbers
 */
export async function settleTarget(database: Database, statistics: Database): Promise<string> {
  const place = { ...(await readQueue(statistics)), id: await nameDatabase(statistics) };
  if (place.target !== null && place.target !== place.id) throw movedOn();
  // Ahead of the transaction: the other database is claimed by this name, whatever becomes of it.
  const id = await nameDatabase(database);
  await database.transaction(async (transaction) => {
    const { rows } = await transaction.query<Queue & Record<string, unknown>>({
      name: 'lock_statistics_target',
      text: `${queueText} FOR UPDATE`,
    });
    const { target } = rows[0]!;
    if (id === place.id) throw isCopy();
    if (target === place.id) return;
    if (target !== null && target !== id) throw keptElsewhere();
    await claim(statistics, id);
    await transaction.query(
      { name: 'set_statistics_target', text: 'UPDATE statistics_queue SET target = $1' },
      [place.id],
    );
    await transaction.query({
      name: 'drop_arrived_folds',
      text: 'DELETE FROM statistics_fold AS f USING statistics_moved AS m WHERE m.fold = f.id',
    });
  });
  return place.id;
}

async function readQueue(database: Queryable): Promise<Queue> {
  return (await database.query<Queue & Record<string, unknown>>({ name: 'read_queue', text: queueText }))
    .rows[0]!;
}

/** It belongs to the first installation that does this, before anything of it arrives. */
async function claim(statistics: Database, id: string): Promise<void> {
  await statistics.transaction(async (transaction) => {
    await transaction.query({
      name: 'lock_statistics_place',
      text: 'SELECT FROM statistics_queue FOR UPDATE',
    });
    if (await isOfAnother(transaction, id)) throw ofAnother();
    await transaction.query(
      {
        name: 'claim_statistics_place',
        text: `INSERT INTO statistics_source (source, known_until) VALUES ($1, '${nothingKnown}') ON CONFLICT DO NOTHING`,
      },
      [id],
    );
  });
}

/** It has statistics of another, or the messages of one: who sends them has a key. */
async function isOfAnother(statistics: Queryable, id: string | null): Promise<boolean> {
  const holds = async (table: string, condition: string, values: unknown[]) => {
    if (!(await hasTable(statistics, table))) return false;
    const text = `SELECT FROM ${table} WHERE ${condition} LIMIT 1`;
    return (await statistics.query({ name: '', text }, values)).rows.length > 0;
  };
  const notOurs = 'source IS DISTINCT FROM $1';
  return (
    (await holds('api_key', 'true', [])) ||
    (await holds('statistics_source', notOurs, [id])) ||
    (await holds('statistics_moved', notOurs, [id]))
  );
}

async function hasTable(database: Queryable, table: string): Promise<boolean> {
  const text = 'SELECT to_regclass($1) IS NOT NULL AS there';
  return (await database.query<{ there: boolean }>({ name: '', text }, [table])).rows[0]!.there;
}

/** The name of a database, which it is given when it has none. */
export async function nameDatabase(database: Queryable): Promise<string> {
  const name = async (text: string) => (await database.query<{ id: string }>({ name: '', text })).rows[0]?.id;
  const given = await name(
    'UPDATE statistics_queue SET id = gen_random_uuid() WHERE id IS NULL RETURNING id',
  );
  return given ?? (await name('SELECT id FROM statistics_queue'))!;
}

function isCopy(): StatisticsPlaceError {
  return new StatisticsPlaceError(
    'eventsDatabase names the database of the messages, or a copy of it: name an empty one',
  );
}

function ofAnother(): StatisticsPlaceError {
  return new StatisticsPlaceError(
    'eventsDatabase names a database of another installation: name an empty one',
  );
}

function keptElsewhere(): StatisticsPlaceError {
  return new StatisticsPlaceError(
    'the statistics are kept in another database than the one that eventsDatabase names: give the one that was named before, ' +
      'or a copy of it (pg_dump and pg_restore while no server with the role events runs)',
  );
}

function movedOn(): StatisticsPlaceError {
  return new StatisticsPlaceError(
    'eventsDatabase names a database whose own statistics are kept in yet another one: name that one',
  );
}
