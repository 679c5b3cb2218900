import type { Database, Queryable } from '../database.ts';

/** Statistics are kept in another database than the one that is configured: a person must say which is meant. */
export class StatisticsPlaceError extends Error {
  override name = 'StatisticsPlaceError';
}

interface Queue {
  /** Names the database; null before it is first used. */
  id: string | null;
  /** Names the one where its statistics are kept; null for itself. */
  target: string | null;
}

const queueText = 'SELECT id, target FROM statistics_queue';

/**
 * Decides, once and for all servers, that the statistics of `database` are kept in `statistics`. What another server was about to
 * add in the old place arrives in the new one; what it has added there is moved with all that is there. Repeating it changes nothing.
 * Answers what names the new place.
 * @throws StatisticsPlaceError when they are kept in a third one, or when those of another installation are kept in `statistics`:
 * its accounts and routes have the same numbers
 */
export async function settleTarget(database: Database, statistics: Queryable): Promise<string> {
  const place = { ...(await readQueue(statistics)), id: await nameDatabase(statistics) };
  if (place.target !== null && place.target !== place.id) throw movedOn();
  await database.transaction(async (transaction) => {
    const { rows } = await transaction.query<Queue & Record<string, unknown>>({
      name: 'lock_statistics_target',
      text: `${queueText} FOR UPDATE`,
    });
    const { target } = rows[0]!;
    const id = rows[0]!.id ?? (await nameDatabase(transaction));
    if (id === place.id) throw isCopy();
    if (await hasOthers(statistics, id)) throw isOfAnother();
    if (target === place.id) return;
    if (target !== null && target !== id) throw keptElsewhere();
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

async function hasOthers(statistics: Queryable, id: string): Promise<boolean> {
  const text = 'SELECT FROM statistics_source WHERE source <> $1 LIMIT 1';
  return (await statistics.query({ name: 'find_other_source', text }, [id])).rows.length > 0;
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

function isOfAnother(): StatisticsPlaceError {
  return new StatisticsPlaceError(
    'eventsDatabase names a database that has statistics of another installation: name an empty one',
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
