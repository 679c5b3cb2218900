import type { Queryable } from '../database.ts';
import type { ActivityReport, LaneReport } from '../delivery/worker-reports.ts';

/** One worker, and what it has told within the time that was asked for: null where it has told nothing. */
export interface LiveWorker {
  id: string;
  host: string;
  pid: number;
  leaving: boolean;
  shards: number;
  lanes: LaneReport[] | null;
  /** Null also from a worker of an older program. */
  activity: ActivityReport | null;
}

const workersStatement = {
  name: 'read_live_workers',
  text: `SELECT w.id, w.host, w.pid, w.leaving, coalesce(o.shards, 0) AS shards, r.lanes, r.activity
    FROM worker w
    LEFT JOIN (SELECT worker, count(*)::int AS shards FROM shard_owner GROUP BY worker) o ON o.worker = w.id
    LEFT JOIN worker_report r ON r.worker = w.id AND r.at > now() - $1::float8 * interval '1 millisecond'
    ORDER BY w.started_at, w.id`,
};

const shardsStatement = {
  name: 'count_unowned_shards',
  text: `SELECT now() AS now, count(*) FILTER (WHERE worker IS NULL OR worker NOT IN (SELECT id FROM worker))::int
      AS unowned FROM shard_owner`,
};

/** What all workers tell, by the database's clock. */
export async function readLive(
  database: Queryable,
  ageMs: number,
): Promise<{ now: Date; unownedShards: number; workers: LiveWorker[] }> {
  const workers = await database.query<LiveWorker & Record<string, unknown>>(workersStatement, [ageMs]);
  const { rows } = await database.query<{ now: Date; unowned: number }>(shardsStatement);
  return { now: rows[0]!.now, unownedShards: rows[0]!.unowned, workers: workers.rows };
}
