import { counters } from '../../message/statistics/series-tallies.ts';
import type { Queryable } from '../database.ts';
import { allAccounts, kindOf, noBatch } from './add-fold.ts';
import { type Step, tableOf } from './periods.ts';
import { nothingKnown } from './settle-target.ts';

export interface StatisticsRead {
  step: Step;
  /** Of whole steps; `untilMs` is left out itself. */
  sinceMs: number;
  untilMs: number;
  /** Null for all. */
  accountId: number | null;
  /** Accounts are told apart, also where all are meant. */
  byAccount: boolean;
  routeIds?: readonly number[];
  exceptRouteIds?: readonly number[];
  batch?: string;
  byBatch: boolean;
  tag?: string;
  byTag: boolean;
  /** What is told apart has one row on each route, of the whole time, in the place of one for each step. */
  total: boolean;
  /** Rows that are looked at, at most. */
  limit: number;
}

/** What happened in one step, or in all of them, of what the read tells apart and maybe more. */
export interface StatisticsRow {
  accountId: number;
  routeId: number;
  batch: string;
  tag: string;
  /** When the step begins, or the first of them. */
  atMs: number;
  /** By the index of `counters`. */
  counts: number[];
  /** A bucket may be in it more than once. */
  waits: string;
  /** Rows that it was made of. */
  looked: number;
}

/** Rows of one step, in no order. No message is looked at. */
export async function readStatistics(database: Queryable, read: StatisticsRead): Promise<StatisticsRow[]> {
  const { statement, values } = statisticsCall(read);
  const { rows } = await database.query<Omit<StatisticsRow, 'counts'> & { counts: string }>(
    statement,
    values,
  );
  return rows.map(({ counts, ...row }) => ({ ...row, counts: counts.split(' ').map(Number) }));
}

/** For a test as well, which explains it. */
export function statisticsCall(read: StatisticsRead) {
  const { step, sinceMs, untilMs, accountId, batch, tag, routeIds, exceptRouteIds, limit } = read;
  const tells = { batch: read.byBatch || batch !== undefined, tag: read.byTag || tag !== undefined };
  const kind = kindOf(tells);
  const values: unknown[] = [kind, new Date(sinceMs), new Date(untilMs), limit];
  const conditions = ['kind = $1', 'at >= $2', 'at < $3'];
  const add = (condition: (parameter: string) => string, value: unknown) => {
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  // Only what tells neither batches nor tags apart is summed up over all accounts.
  const summed = kind === 0 && accountId === null && !read.byAccount;
  if (summed || accountId !== null) add((p) => `account_id = ${p}`, summed ? allAccounts : accountId);
  else if (kind === 0) add((p) => `account_id > ${p}`, allAccounts);
  if (!tells.batch) add((p) => `batch = ${p}`, noBatch);
  else if (batch !== undefined) add((p) => `batch = ${p}`, batch);
  if (!tells.tag) add((p) => `tag = ${p}`, '');
  else if (tag !== undefined) add((p) => `tag = ${p}`, tag);
  if (routeIds !== undefined) add((p) => `route_id = ANY(${p}::integer[])`, routeIds);
  if (exceptRouteIds !== undefined) add((p) => `route_id <> ALL(${p}::integer[])`, exceptRouteIds);
  const rows = `FROM ${tableOf(step)} WHERE ${conditions.join(' AND ')} LIMIT $4`;
  const text = read.total
    ? `SELECT ${totalColumns} FROM (SELECT * ${rows}) AS step ${totalGroups}`
    : `SELECT ${stepColumns} ${rows}`;
  return { statement: { name: '', text }, values };
}

const seriesColumns = 'account_id AS "accountId", route_id AS "routeId", batch, tag';
const epochMs = (time: string) => `(extract(epoch FROM ${time}) * 1000)::float8 AS "atMs"`;

/** Counts as one text: a hundred accounts of a year are some 400,000 numbers, and each column costs. */
const stepColumns = `${seriesColumns}, ${epochMs('at')}, concat_ws(' ', ${counters.join(', ')}) AS counts, waits, 1 AS looked`;

/** A hundred accounts of a year, each in one row, took 0.05 of the time of all their days. */
const totalColumns = `${seriesColumns}, ${epochMs('$2::timestamptz')},
  concat_ws(' ', ${counters.map((name) => `sum(${name})`).join(', ')}) AS counts,
  coalesce(string_agg(waits, ',') FILTER (WHERE waits <> ''), '') AS waits, count(*)::integer AS looked`;
const totalGroups = 'GROUP BY account_id, route_id, batch, tag';

const knownStatement = {
  name: 'read_statistics_known',
  text: `SELECT nullif(min(known_until), '${nothingKnown}') AS "knownUntil",
      (SELECT target IS NOT NULL AND target <> id FROM statistics_queue) AS "isElsewhere"
    FROM statistics_source`,
};

/** Up to when all is known; null where nothing is. `isElsewhere`: statistics are kept in another database by now. */
export async function readKnown(
  database: Queryable,
): Promise<{ knownUntil: Date | null; isElsewhere: boolean }> {
  const { rows } = await database.query<{ knownUntil: Date | null; isElsewhere: boolean }>(knownStatement);
  return rows[0]!;
}
