import type pg from 'pg';

const shardsAll = 1_024;
const everyMs = 100;

export interface OwnershipWatch {
  /** Do so many workers own all shards, none of them more than one more than another? */
  isEven(workers: number): Promise<boolean>;
  shardsByPid(): Promise<Map<number, number>>;
  /** Claims ever made. */
  claims(): Promise<number>;
  /** Shards of which one epoch was seen with two owners, or a later look with an earlier epoch. */
  ownedTwice(): string[];
  stop(): Promise<void>;
}

/** Looks at who owns which shard, again and again, by SQL alone. */
export function watchOwnership(pool: pg.Pool): OwnershipWatch {
  const owners = new Map<number, { epoch: number; worker: string }>();
  const twice = new Set<string>();
  let stopped = false;
  let wake = () => {};
  const look = async () => {
    const { rows } = await pool.query<{ shard: number; worker: string; epoch: number }>(
      // One that was handed over and is not claimed yet has none, in the epoch of its last owner.
      'SELECT shard, worker, epoch::int AS epoch FROM shard_owner WHERE worker IS NOT NULL',
    );
    for (const { shard, worker, epoch } of rows) {
      const seen = owners.get(shard);
      if (seen && (epoch < seen.epoch || (epoch === seen.epoch && worker !== seen.worker))) {
        twice.add(`shard ${shard}: ${seen.worker} in epoch ${seen.epoch}, then ${worker} in epoch ${epoch}`);
      }
      owners.set(shard, { epoch, worker });
    }
  };
  const ended = (async () => {
    while (!stopped) {
      await look();
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, everyMs);
      });
    }
  })();
  const shardsByPid = async () => {
    const { rows } = await pool.query<{ pid: number; shards: number }>(
      `SELECT coalesce(w.pid, 0) AS pid, count(*)::int AS shards
        FROM shard_owner o LEFT JOIN worker w ON w.id = o.worker GROUP BY 1`,
    );
    return new Map(rows.map(({ pid, shards }) => [pid, shards]));
  };
  return {
    async isEven(workers) {
      const shards = await shardsByPid();
      const fewest = Math.floor(shardsAll / workers);
      const counts = [...shards.values()];
      return (
        shards.size === workers &&
        !shards.has(0) &&
        counts.reduce((sum, count) => sum + count, 0) === shardsAll &&
        counts.every((count) => count === fewest || count === fewest + 1)
      );
    },
    shardsByPid,
    async claims() {
      const { rows } = await pool.query<{ claims: number }>(
        'SELECT sum(epoch)::int AS claims FROM shard_owner',
      );
      return rows[0]!.claims;
    },
    ownedTwice: () => [...twice],
    async stop() {
      stopped = true;
      wake();
      await ended;
    },
  };
}
