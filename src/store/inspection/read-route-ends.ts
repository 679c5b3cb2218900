import { counters } from '../../message/statistics/series-tallies.ts';
import type { Queryable } from '../database.ts';
import { readStatistics } from '../statistics/read-statistics.ts';

/** What came to its end on a route. */
export interface RouteEnds {
  name: string;
  connector: string;
  sent: number;
  failed: number;
}

const minuteMs = 60_000;
/** A route has a row for each minute. */
const rowsMax = 100_000;

const routesStatement = {
  name: 'read_routes_by_id',
  text: 'SELECT id, name, connector FROM route WHERE id = ANY($1::integer[]) ORDER BY name',
};

/** What came to its end on each route in whole minutes, of all accounts, as it was counted: `statistics` may be a database of their own. */
export async function readRouteEnds(
  { database, statistics }: { database: Queryable; statistics: Queryable },
  { sinceMs, untilMs }: { sinceMs: number; untilMs: number },
): Promise<RouteEnds[]> {
  const series = await readStatistics(statistics, {
    ...{ step: 'minute', total: true, limit: rowsMax },
    ...{ sinceMs: Math.floor(sinceMs / minuteMs) * minuteMs, untilMs },
    ...{ accountId: null, byAccount: false, byBatch: false, byTag: false },
  });
  const ends = new Map(series.map(({ routeId, counts }) => [routeId, counts]));
  const { rows } = await database.query<{ id: number; name: string; connector: string }>(routesStatement, [
    [...ends.keys()],
  ]);
  return rows.map(({ id, name, connector }) => {
    const of = (counter: 'sent' | 'failed') => ends.get(id)![counters.indexOf(counter)]!;
    return { name, connector, sent: of('sent'), failed: of('failed') };
  });
}
