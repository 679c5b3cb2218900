import type { Queryable } from '../database.ts';

export interface StatisticsBacklog {
  /** The age of the oldest that waits to be added up. */
  oldestMs: number;
  /** What transactions counted and nobody has taken yet: 10,000 stand for more. */
  deltas: number;
  /** Taken, and not where statistics are kept. */
  folds: number;
  foldBytes: number;
  /** In a database of their own. */
  keptElsewhere: boolean;
}

const backlogStatement = {
  name: 'read_statistics_backlog',
  text: `WITH some_deltas AS (SELECT at FROM statistics_delta LIMIT 10000)
    SELECT coalesce(extract(epoch FROM now() - least(
        (SELECT min(at) FROM some_deltas), (SELECT min(made_at) FROM statistics_fold))) * 1000, 0)::float8 AS "oldestMs",
      (SELECT count(*) FROM some_deltas)::integer AS deltas,
      (SELECT count(*) FROM statistics_fold)::integer AS folds,
      (SELECT coalesce(sum(length(entries)), 0) FROM statistics_fold)::float8 AS "foldBytes",
      (SELECT target IS NOT NULL AND target <> id FROM statistics_queue) AS "keptElsewhere"`,
};

export async function readStatisticsBacklog(database: Queryable): Promise<StatisticsBacklog> {
  return (await database.query<StatisticsBacklog & Record<string, unknown>>(backlogStatement)).rows[0]!;
}
