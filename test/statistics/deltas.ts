import { type Counter, counters, SeriesTallies } from '../../src/message/statistics/series-tallies.ts';
import type { Database, Queryable } from '../../src/store/database.ts';
import { deltaCall } from '../../src/store/statistics/insert-delta.ts';
import type { StatisticsDays } from '../../src/store/statistics/periods.ts';

export const days: StatisticsDays = { minute: 7, hour: 90, day: 1_096 };

export interface Counted {
  /** How long ago it happened. */
  agoMs?: number;
  accountId?: number;
  routeId?: number;
  batch?: string | null;
  tag?: string | null;
  counts: Partial<Record<Counter, number>>;
  /** Messages by bucket. */
  waits?: [number, number][];
}

let lastId = 0n;

/** Writes what one transaction counted. */
export async function insertDelta(database: Database, counted: readonly Counted[], shard = 5): Promise<void> {
  const tallies = new SeriesTallies();
  for (const { agoMs = 0, accountId = 1, routeId = 1, batch = null, tag = null, counts, waits } of counted) {
    const tally = tallies.at(agoMs, { accountId, routeId, batch, tag });
    for (const [name, count] of Object.entries(counts)) {
      tally.counts[counters.indexOf(name as Counter)]! += count;
    }
    for (const [bucket, count] of waits ?? []) tally.waits.set(bucket, count);
  }
  const { statement, values } = deltaCall(shard, {
    id: `${++lastId}`,
    agoMs: 0,
    entries: tallies.encode(),
  });
  await database.query(statement, values);
}

/** Everything that a table of statistics says, in an order of its own. */
export async function tableRows(database: Queryable, step: string): Promise<Record<string, unknown>[]> {
  const { rows } = await database.query({
    name: '',
    text: `SELECT * FROM statistics_${step} ORDER BY kind, account_id, batch, tag, at, route_id`,
  });
  return rows;
}

/** The sum of counters over rows of a kind. */
export async function sumsOf(
  database: Queryable,
  { step = 'day', kind = 0, accountId = 1 }: { step?: string; kind?: number; accountId?: number } = {},
): Promise<Record<Counter, number>> {
  const { rows } = await database.query<Record<Counter, number>>(
    {
      name: '',
      text: `SELECT ${counters.map((name) => `coalesce(sum(${name}), 0)::float8 AS ${name}`).join(', ')}
        FROM statistics_${step} WHERE kind = $1 AND account_id = $2`,
    },
    [kind, accountId],
  );
  return rows[0]!;
}
