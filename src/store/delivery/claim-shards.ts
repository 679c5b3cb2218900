import { DatabaseError, type Queryable, type Statement } from '../database.ts';

export interface ShardEpoch {
  shard: number;
  epoch: number;
}

const freeStatement = {
  name: 'read_free_shards',
  text: 'SELECT shard, epoch FROM shard_owner WHERE worker IS NULL OR worker = ANY($1::uuid[])',
};

/** Shards without an owner, or whose owner is one of the removed workers. */
export async function readFreeShards(database: Queryable, removedWorkers: string[]): Promise<ShardEpoch[]> {
  const { rows } = await database.query<{ shard: number; epoch: string }>(freeStatement, [removedWorkers]);
  return rows.map((row) => ({ shard: row.shard, epoch: Number(row.epoch) }));
}

// The epoch alone says that nothing changed: a free shard stays free until a claim raises it.
// array_position instead of a join, which Citus does not route.
const isAsSeen =
  'shard = ANY($2::smallint[]) AND epoch = ($3::bigint[])[array_position($2::smallint[], shard)]';

const claimAllStatement = {
  name: 'claim_all_shards',
  text: `UPDATE shard_owner SET worker = $1, epoch = epoch + 1 WHERE ${isAsSeen} RETURNING shard, epoch`,
};

const claimUnlockedStatement = {
  name: 'claim_unlocked_shards',
  // The lock is the one that the UPDATE takes. Both compare the epoch: what it was when the statement began is not enough.
  text: `WITH unlocked AS MATERIALIZED (
      SELECT shard FROM shard_owner WHERE ${isAsSeen} FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE shard_owner SET worker = $1, epoch = epoch + 1
    WHERE shard = ANY(ARRAY(SELECT shard FROM unlocked)) AND ${isAsSeen}
    RETURNING shard, epoch`,
};

/** `feature_not_supported`: Citus skips no locks over many shards. */
const unsupported = '0A000';

/**
 * Claims those of the free shards that nobody claimed first; the answer holds their new epochs. A shard on which is
 * being recorded stays free, so that a worker that was stopped amid that holds up this one shard alone.
 */
export async function claimShards(
  database: Queryable,
  claim: { workerId: string; free: ShardEpoch[] },
): Promise<ShardEpoch[]> {
  const values = [claim.workerId, claim.free.map((free) => free.shard), claim.free.map((free) => free.epoch)];
  const claimBy = async (statement: Statement) => {
    const { rows } = await database.query<{ shard: number; epoch: string }>(statement, values);
    return rows.map((row) => ({ shard: row.shard, epoch: Number(row.epoch) }));
  };
  try {
    return await claimBy(claimUnlockedStatement);
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.fault.code !== unsupported) throw error;
    return await claimBy(claimAllStatement);
  }
}

const releaseStatement = {
  name: 'release_shards',
  text: `UPDATE shard_owner SET worker = NULL
    WHERE shard = ANY($2::smallint[]) AND worker = $1
      AND epoch = ($3::bigint[])[array_position($2::smallint[], shard)]`,
};

/** Gives up shards as they were claimed: one that arrives late leaves alone what the worker has claimed since. */
export async function releaseShards(
  database: Queryable,
  release: { workerId: string; shards: ShardEpoch[] },
): Promise<void> {
  await database.query(releaseStatement, [
    release.workerId,
    release.shards.map(({ shard }) => shard),
    release.shards.map(({ epoch }) => epoch),
  ]);
}

const ownedStatement = {
  name: 'read_owned_shards',
  text: 'SELECT shard, epoch FROM shard_owner WHERE worker = $1',
};

/** What a worker owns: after a claim whose answer was lost, that claim's shards too. */
export async function readOwnedShards(database: Queryable, workerId: string): Promise<ShardEpoch[]> {
  const { rows } = await database.query<{ shard: number; epoch: string }>(ownedStatement, [workerId]);
  return rows.map((row) => ({ shard: row.shard, epoch: Number(row.epoch) }));
}
