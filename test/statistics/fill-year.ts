import { counters } from '../../src/message/statistics/series-tallies.ts';
import type { Database } from '../../src/store/database.ts';
import { noBatch } from '../../src/store/statistics/add-fold.ts';
import { ensureStatisticsPartitions } from '../../src/store/statistics/statistics-partitions.ts';

const dayMs = 86_400_000;

/**
 * The days of a year as they are kept: of each account a row on one route, one for each of three batches and one for each of two
 * tags, and a row over all accounts.
 */
export async function fillYear(
  database: Database,
  { accounts, untilMs }: { accounts: number; untilMs: number },
): Promise<void> {
  const sinceMs = untilMs - 365 * dayMs;
  await ensureStatisticsPartitions(database, { step: 'day', times: [sinceMs, untilMs] });
  const values = [new Date(sinceMs), accounts];
  const days =
    "(SELECT $1::timestamptz + n * interval '24 hours' AS at, n FROM generate_series(0, 364) AS n) AS days";
  const sums = counters.map((_, counter) => (counter === 0 || counter === 2 ? '100 + n' : '1')).join(', ');
  const columns = `kind, account_id, batch, tag, at, route_id, ${counters.join(', ')}, waits`;
  const insert = (select: string) =>
    database.query({ name: '', text: `INSERT INTO statistics_day (${columns}) ${select}` }, values);
  const waits = "'10:50,11:40,14:10'";
  await insert(`SELECT 0, account, '${noBatch}'::uuid, '', at, 1, ${sums}, ${waits}
    FROM ${days}, generate_series(1, $2::integer) AS account`);
  await insert(`SELECT 1, account, gen_random_uuid(), '', at, 1, ${sums}, ''
    FROM ${days}, generate_series(1, $2::integer) AS account, generate_series(1, 3)`);
  await insert(`SELECT 2, account, '${noBatch}'::uuid, 'tag ' || tag, at, 1, ${sums}, ''
    FROM ${days}, generate_series(1, $2::integer) AS account, generate_series(1, 2) AS tag`);
  const all = counters.map((_, counter) =>
    counter === 0 || counter === 2 ? '(100 + n) * $2::integer' : '$2::integer',
  );
  await insert(`SELECT 0, 0, '${noBatch}'::uuid, '', at, 1, ${all.join(', ')}, ${waits} FROM ${days}`);
  await database.query({ name: '', text: 'ANALYZE statistics_day' });
}
