import type { Queryable } from '../database.ts';

export interface WorkerRow {
  id: string;
  host: string;
  pid: number;
  /** A bigint as text: another one means that it lives. */
  beat: string;
  shards: number;
}

const workersStatement = {
  name: 'inspect_workers',
  text: `SELECT w.id, w.host, w.pid, w.beat,
      (SELECT count(*)::int FROM shard_owner o WHERE o.worker = w.id) AS shards
    FROM worker w ORDER BY w.started_at`,
};

const orphansStatement = {
  name: 'count_orphaned_shards',
  text: `SELECT count(*)::int AS orphans FROM shard_owner
    WHERE worker IS NULL OR worker NOT IN (SELECT id FROM worker)`,
};

export async function readWorkers(database: Queryable): Promise<WorkerRow[]> {
  return (await database.query<WorkerRow & Record<string, unknown>>(workersStatement)).rows;
}

/** Shards that nobody delivers at the moment. */
export async function countOrphanedShards(database: Queryable): Promise<number> {
  const { rows } = await database.query<{ orphans: number }>(orphansStatement);
  return rows[0]!.orphans;
}
