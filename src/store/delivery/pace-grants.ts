import type { Database, Queryable } from '../database.ts';

/** Shares from 0 to 1 by what they are of; `*` is that of everything that is not named. */
export type Shares = Record<string, number>;

export interface PaceGrant {
  version: number;
  shares: Shares;
}

/** What a worker says of itself. */
export interface PaceReport {
  /** What it could use in a second or at once, by what it is of. */
  demand: Record<string, number>;
  /** It follows the grant of this version (0 before the first), and uses these shares at most. */
  used: PaceGrant;
}

export interface PaceState {
  /** Rises with each decision. */
  round: number;
  workers: { id: string; leaving: boolean; report: PaceReport | undefined }[];
  /** Those of workers that are gone as well. */
  grants: Map<string, PaceGrant>;
  /** Who has reported, those that are gone included. */
  reporters: string[];
}

const readGrantStatement = {
  name: 'read_pace_grant',
  text: 'SELECT version::float8 AS version, shares FROM pace_grant WHERE shard = 0 AND worker = $1',
};

export async function readPaceGrant(database: Queryable, workerId: string): Promise<PaceGrant | undefined> {
  const { rows } = await database.query<PaceGrant & Record<string, unknown>>(readGrantStatement, [workerId]);
  return rows[0] && { version: rows[0].version, shares: rows[0].shares };
}

const reportStatement = {
  name: 'report_pace',
  text: `INSERT INTO pace_demand (shard, worker, demand, used, seq) VALUES (0, $1, $2, $3, $4)
    ON CONFLICT (shard, worker) DO UPDATE
      SET demand = excluded.demand, used = excluded.used, seq = excluded.seq, at = now()
      WHERE pace_demand.seq < excluded.seq`,
};

/** `seq` rises with each report of a worker: one that comes late does not replace a newer one. */
export async function reportPace(
  database: Queryable,
  report: PaceReport & { workerId: string; seq: number },
): Promise<void> {
  const { workerId, demand, used, seq } = report;
  await database.query(reportStatement, [workerId, JSON.stringify(demand), JSON.stringify(used), seq]);
}

const roundStatement = {
  name: 'read_pace_round',
  text: 'SELECT round::float8 AS round FROM pace_round WHERE shard = 0',
};
const grantsStatement = {
  name: 'read_pace_grants',
  text: 'SELECT worker, version::float8 AS version, shares FROM pace_grant WHERE shard = 0',
};
const reportsStatement = {
  name: 'read_pace_demands',
  text: 'SELECT worker, demand, used FROM pace_demand WHERE shard = 0',
};
const workersStatement = { name: 'read_pace_workers', text: 'SELECT id, leaving FROM worker' };

/**
 * The round first: a decision that is committed meanwhile ends it. Grants before workers: a grant whose worker is
 * missing from the later read is that of a worker that has been removed for good.
 */
export async function readPace(database: Queryable): Promise<PaceState> {
  const rounds = await database.query<{ round: number }>(roundStatement);
  const grants = await database.query<PaceGrant & { worker: string }>(grantsStatement);
  const reports = await database.query<PaceReport & { worker: string }>(reportsStatement);
  const workers = await database.query<{ id: string; leaving: boolean }>(workersStatement);
  const byWorker = new Map(reports.rows.map(({ worker, demand, used }) => [worker, { demand, used }]));
  return {
    round: rounds.rows[0]!.round,
    workers: workers.rows.map(({ id, leaving }) => ({ id, leaving, report: byWorker.get(id) })),
    grants: new Map(grants.rows.map(({ worker, version, shares }) => [worker, { version, shares }])),
    reporters: [...byWorker.keys()],
  };
}

/** What the owner of shard 0 has decided. */
export interface PaceDecision {
  /** Of shard 0. */
  epoch: number;
  /** The round from whose state it was made. */
  round: number;
  grants: ({ workerId: string } & PaceGrant)[];
  /** Workers that are no more. */
  gone: string[];
}

const fenceStatement = {
  name: 'pace_fence',
  text: 'SELECT 1 FROM shard_owner WHERE shard = 0 AND epoch = $1 FOR SHARE',
};
const nextRoundStatement = {
  name: 'next_pace_round',
  text: 'UPDATE pace_round SET round = round + 1 WHERE shard = 0 AND round = $1',
};
const writeStatement = {
  name: 'write_pace_grant',
  text: `INSERT INTO pace_grant (shard, worker, version, shares) VALUES (0, $1, $2, $3)
    ON CONFLICT (shard, worker) DO UPDATE SET version = excluded.version, shares = excluded.shares`,
};
const forgetStatements = ['pace_grant', 'pace_demand'].map((table) => ({
  name: `forget_${table}`,
  text: `DELETE FROM ${table} WHERE shard = 0 AND worker = ANY($1::uuid[])`,
}));

/**
 * Behind the fence: `false` means that another worker decides by now, or that the round has passed: an earlier
 * decision, whose answer did not come, was committed after all. Nothing was written then.
 */
export async function grantPace(database: Database, decision: PaceDecision): Promise<boolean> {
  return await database.transaction(async (transaction) => {
    const fence = await transaction.query(fenceStatement, [decision.epoch]);
    if (fence.rowCount === 0) return false;
    if ((await transaction.query(nextRoundStatement, [decision.round])).rowCount === 0) return false;
    for (const { workerId, version, shares } of decision.grants) {
      await transaction.query(writeStatement, [workerId, version, JSON.stringify(shares)]);
    }
    if (decision.gone.length > 0) {
      for (const statement of forgetStatements) await transaction.query(statement, [decision.gone]);
    }
    return true;
  });
}
