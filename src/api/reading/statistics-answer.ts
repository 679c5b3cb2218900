import { type Counter, counters } from '../../message/statistics/series-tallies.ts';
import { addWaits, countOf, parseWaits, percentile, type Waits } from '../../message/statistics/waits.ts';
import type { StatisticsRow } from '../../store/statistics/read-statistics.ts';

export type By = 'none' | 'account' | 'route' | 'batch' | 'tag';

export type StatisticsPoint = { at: string } & Record<Counter, number> & {
    timeToFirstAttempt: {
      count: number;
      p50Ms: number | null;
      p95Ms: number | null;
      p99Ms: number | null;
    };
  };

export interface StatisticsSeries {
  account?: string;
  route?: string;
  batch?: string;
  tag?: string;
  points: StatisticsPoint[];
}

interface Sum {
  counts: number[];
  waits: Waits;
}

interface SeriesSum {
  name: Omit<StatisticsSeries, 'points'>;
  points: Map<number, Sum>;
}

/** Series of what is told apart, in order of their names, and their points in order of time; a step without anything has none. */
export function statisticsSeries(
  rows: readonly StatisticsRow[],
  { by, routeName }: { by: By; routeName: (routeId: number) => string },
): StatisticsSeries[] {
  const series = new Map<string, SeriesSum>();
  for (const row of rows) {
    const name = nameOf(row, { by, routeName });
    const key = name[by as keyof typeof name] ?? '';
    let sums = series.get(key);
    if (sums === undefined) {
      sums = { name, points: new Map() };
      series.set(key, sums);
    }
    addRow(sums.points, row);
  }
  const inOrder = [...series].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: by === 'account' }));
  return inOrder.map(([, { name, points }]) => ({ ...name, points: pointsOf(points) }));
}

function nameOf(
  { accountId, routeId, batch, tag }: StatisticsRow,
  { by, routeName }: { by: By; routeName: (routeId: number) => string },
): Omit<StatisticsSeries, 'points'> {
  if (by === 'account') return { account: String(accountId) };
  if (by === 'route') return { route: routeName(routeId) };
  if (by === 'batch') return { batch };
  return by === 'tag' ? { tag } : {};
}

function addRow(points: Map<number, Sum>, { atMs, counts, waits }: StatisticsRow): void {
  const present = points.get(atMs);
  if (present === undefined) {
    points.set(atMs, { counts, waits: parseWaits(waits) });
    return;
  }
  for (const [counter, count] of counts.entries()) present.counts[counter]! += count;
  addWaits(present.waits, parseWaits(waits));
}

function pointsOf(points: Map<number, Sum>): StatisticsPoint[] {
  const inOrder = [...points].sort(([a], [b]) => a - b);
  return inOrder.map(([atMs, { counts, waits }]) => pointOf(atMs, { counts, waits }));
}

function pointOf(atMs: number, { counts, waits }: Sum): StatisticsPoint {
  const counted = Object.fromEntries(counters.map((name, counter) => [name, counts[counter]!]));
  return {
    at: new Date(atMs).toISOString(),
    ...(counted as Record<Counter, number>),
    timeToFirstAttempt: {
      count: countOf(waits),
      p50Ms: rounded(percentile(waits, 0.5)),
      p95Ms: rounded(percentile(waits, 0.95)),
      p99Ms: rounded(percentile(waits, 0.99)),
    },
  };
}

function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms * 10) / 10;
}
