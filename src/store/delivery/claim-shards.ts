import { type Database, DatabaseError, type Queryable } from '../database.ts';

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

const claimStatement = {
  name: 'claim_shards',
  // The epoch alone says that nothing changed: a free shard stays free until a claim raises it.
  // array_position instead of a join, which Citus does not route.
  text: `UPDATE shard_owner SET worker = $1, epoch = epoch + 1
    WHERE shard = ANY($2::smallint[]) AND epoch = ($3::bigint[])[array_position($2::smallint[], shard)]
    RETURNING shard, epoch`,
};

/**
 * Claims those of the free shards that nobody claimed first; the answer holds their new epochs. It waits for whoever has
 * locked one of them, until the old owner's recordings have ended.
 */
export async function claimShards(
  database: Queryable,
  claim: { workerId: string; free: ShardEpoch[] },
): Promise<ShardEpoch[]> {
  const { rows } = await database.query<{ shard: number; epoch: string }>(claimStatement, [
    claim.workerId,
    claim.free.map((free) => free.shard),
    claim.free.map((free) => free.epoch),
  ]);
  return rows.map((row) => ({ shard: row.shard, epoch: Number(row.epoch) }));
}

const lockLimitStatement = {
  name: 'limit_lock_wait',
  text: "SELECT set_config('lock_timeout', $1, true)",
};

/** `lock_not_available`: a lock was waited for as long as it may be. */
const lockedCode = '55P03';

/** The same all or nothing: `undefined` when one of them stayed locked for `lockMs`, and then none was claimed. */
export async function claimShardsWithin(
  database: Database,
  { lockMs, ...claim }: { workerId: string; free: ShardEpoch[]; lockMs: number },
): Promise<ShardEpoch[] | undefined> {
  return await within(database, { lockMs, work: (transaction) => claimShards(transaction, claim) });
}

/** `undefined` when the work waited for a lock for `lockMs`; then nothing of it was done. */
async function within<Result>(
  database: Database,
  { lockMs, work }: { lockMs: number; work: (transaction: Queryable) => Promise<Result> },
): Promise<Result | undefined> {
  try {
    return await database.transaction(async (transaction) => {
      await transaction.query(lockLimitStatement, [`${lockMs}`]);
      return await work(transaction);
    });
  } catch (error) {
    if (error instanceof DatabaseError && error.fault.code === lockedCode) return undefined;
    throw error;
  }
}

const releaseStatement = {
  name: 'release_shards',
  text: `UPDATE shard_owner SET worker = NULL
    WHERE shard = ANY($2::smallint[]) AND worker = $1
      AND epoch = ($3::bigint[])[array_position($2::smallint[], shard)]`,
};

/**
 * Gives up shards as they were claimed: one that arrives late leaves alone what the worker has claimed since. False when one
 * of them stayed locked for `lockMs`, and then none was given up.
 */
export async function releaseShards(
  database: Database,
  release: { workerId: string; shards: ShardEpoch[]; lockMs: number },
): Promise<boolean> {
  const { workerId, shards, lockMs } = release;
  const [numbers, epochs] = [shards.map(({ shard }) => shard), shards.map(({ epoch }) => epoch)];
  const work = (transaction: Queryable) => transaction.query(releaseStatement, [workerId, numbers, epochs]);
  return (await within(database, { lockMs, work })) !== undefined;
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
