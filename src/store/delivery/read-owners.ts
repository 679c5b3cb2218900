import type { Queryable } from '../database.ts';

export interface Owners {
  /** Shards of each worker; the key null is for shards without an owner. */
  shardsByWorker: Map<string | null, number>;
  /** The beats of the workers that are registered; a bigint as text. */
  beats: Map<string, string>;
  /** Those of them that are stopping. */
  leaving: Set<string>;
}

const countsStatement = {
  name: 'count_shards_by_worker',
  text: 'SELECT worker, count(*)::int AS shards FROM shard_owner GROUP BY worker',
};
const beatsStatement = { name: 'read_beats', text: 'SELECT id, beat, leaving FROM worker' };

/**
 * Owners first, workers second: an owner that is missing from the later read has been removed for good. In
 * the other order a worker that registers and claims in between would look removed.
 */
export async function readOwners(database: Queryable): Promise<Owners> {
  const counts = await database.query<{ worker: string | null; shards: number }>(countsStatement);
  const beats = await database.query<{ id: string; beat: string; leaving: boolean }>(beatsStatement);
  return {
    shardsByWorker: new Map(counts.rows.map((row) => [row.worker, row.shards])),
    beats: new Map(beats.rows.map((row) => [row.id, row.beat])),
    leaving: new Set(beats.rows.filter((row) => row.leaving).map((row) => row.id)),
  };
}
