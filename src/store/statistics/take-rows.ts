import { counters, SeriesTallies, type SeriesTally } from '../../message/statistics/series-tallies.ts';
import { parseWaits } from '../../message/statistics/waits.ts';
import type { Queryable } from '../database.ts';
import { kindOf } from './add-fold.ts';
import { type Step, stepMs, steps, tableOf } from './periods.ts';

/** Rows of one fold. */
const rowsMax = 2_000;

interface StoredRow extends Record<string, unknown> {
  kind: number;
  account_id: number;
  route_id: number;
  batch: string;
  tag: string;
  atMs: number;
  counts: string;
  waits: string;
}

/** Takes rows out of the tables of statistics, to be moved as a fold; undefined when none is left. */
export async function takeRows(transaction: Queryable): Promise<{ step: Step; entries: string } | undefined> {
  for (const step of steps) {
    const { rows } = await transaction.query<StoredRow>(takeStatement(step));
    if (rows.length === 0) continue;
    const tallies = new SeriesTallies();
    for (const row of rows) tallies.add(tallyOf(row, step));
    return { step, entries: tallies.encode() };
  }
  return undefined;
}

const key = ['kind', 'account_id', 'batch', 'tag', 'at', 'route_id'];

function takeStatement(step: Step) {
  const table = tableOf(step);
  return {
    name: `take_${table}`,
    text: `DELETE FROM ${table} AS s USING (SELECT ${key.join(', ')} FROM ${table} LIMIT ${rowsMax}) AS taken
      WHERE ${key.map((column) => `s.${column} = taken.${column}`).join(' AND ')}
      RETURNING s.kind, s.account_id, s.route_id, s.batch, s.tag, (extract(epoch FROM s.at) * 1000)::float8 AS "atMs",
        concat_ws(' ', ${counters.map((name) => `s.${name}`).join(', ')}) AS counts, s.waits`,
  };
}

function tallyOf(row: StoredRow, step: Step): SeriesTally {
  const tellsTag = row.kind >= kindOf({ batch: false, tag: true });
  const tellsBatch = row.kind % 2 === kindOf({ batch: true, tag: false });
  return {
    time: row.atMs / stepMs[step],
    accountId: row.account_id,
    routeId: row.route_id,
    batch: tellsBatch ? row.batch : null,
    tag: tellsTag ? row.tag : null,
    counts: row.counts.split(' ').map(Number),
    waits: parseWaits(row.waits),
  };
}
