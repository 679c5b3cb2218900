import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/store/database.ts';
import {
  readStatistics,
  type StatisticsRead,
  statisticsCall,
} from '../../src/store/statistics/read-statistics.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { fillYear } from './fill-year.ts';

const accounts = 100;
const dayMs = 86_400_000;
const untilMs = Math.floor(Date.now() / dayMs) * dayMs;
const year: StatisticsRead = {
  ...{ step: 'day', sinceMs: untilMs - 365 * dayMs, untilMs, accountId: null },
  ...{ byAccount: false, byBatch: false, byTag: false, total: false, limit: 100_001 },
};

let database: Database;

beforeAll(async () => {
  database = openDatabase({ url: (await createTestDatabase()).url, poolSize: 2, name: 'year test' });
  await fillYear(database, { accounts, untilMs });
});

afterAll(() => database.close());

interface Plan {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  Plans?: Plan[];
}

/** Rows that a read looked at, by what it looked at. */
async function looked(read: StatisticsRead): Promise<Map<string, number>> {
  const { statement, values } = statisticsCall(read);
  const { rows } = await database.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
    { name: '', text: `EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) ${statement.text}` },
    values,
  );
  const byRelation = new Map<string, number>();
  const add = (plan: Plan) => {
    const name = plan['Relation Name'];
    const seen = (plan['Actual Rows'] + (plan['Rows Removed by Filter'] ?? 0)) * plan['Actual Loops'];
    if (name !== undefined) byRelation.set(name, (byRelation.get(name) ?? 0) + seen);
    for (const child of plan.Plans ?? []) add(child);
  };
  add(rows[0]!['QUERY PLAN'][0].Plan);
  return byRelation;
}

test.each<[string, Partial<StatisticsRead>, number]>([
  ['the sum over all accounts', {}, 365],
  ['one account', { accountId: 42 }, 365],
  ['one tag of an account', { accountId: 42, tag: 'tag 1' }, 365],
  ['one account by route', { accountId: 42, routeIds: [1] }, 365],
  ['every account by itself', { byAccount: true }, 365 * accounts],
])('a year of %s reads days alone, and no more of them than it needs', async (_name, more, needed) => {
  const read = { ...year, ...more };
  const byRelation = await looked(read);
  expect([...byRelation.keys()].filter((name) => !name.startsWith('statistics_day_p'))).toEqual([]);
  const seen = [...byRelation.values()].reduce((sum, some) => sum + some, 0);
  const rows = await readStatistics(database, read);
  expect(rows).toHaveLength(needed);
  expect(seen).toBeLessThanOrEqual(needed + accounts);
  const accepted = rows.reduce((sum, { counts }) => sum + counts[0]!, 0);
  expect(accepted).toBeGreaterThan(0);
});

test('the sum over all accounts is that of each', async () => {
  const sum = (rows: Awaited<ReturnType<typeof readStatistics>>) =>
    rows.reduce((total, { counts }) => total + counts[2]!, 0);
  const each = await readStatistics(database, { ...year, byAccount: true });
  expect(sum(await readStatistics(database, year))).toBe(sum(each));
});
