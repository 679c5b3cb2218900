import { foldOutcomes } from '../../message/fold-outcomes.ts';
import { stateNumber } from '../../message/state.ts';
import type { Queryable } from '../database.ts';
import { readOutcomes } from '../reading/read-outcomes.ts';

/** Messages of an account of which nobody knows whether they arrived. */
export interface Uncertain {
  account: string;
  messages: number;
}

export interface UncertainBatches extends Uncertain {
  batches: number;
  /** The newest of them. */
  newest: string;
}

/** Chunks that are looked at; where more were ever uncertain the newest count. */
const chunksMax = 1_000;
const listedMax = 20;

const singlesStatement = {
  name: 'read_uncertain_singles',
  // The last condition is that of the partial index.
  text: `SELECT coalesce(a.name, key.account_id::text) AS account, c.id, c.count
    FROM (
      SELECT DISTINCT account_id, chunk_id, shard FROM outcome
      WHERE state = 9 AND batch IS NULL AND state >= 5 ORDER BY chunk_id DESC LIMIT ${chunksMax}
    ) AS key
    JOIN chunk c ON c.shard = key.shard AND c.id = key.chunk_id
    LEFT JOIN account a ON a.id = key.account_id
    ORDER BY c.id`,
};

/** Those that belong to no batch. */
export async function readUncertainSingles(database: Queryable): Promise<Uncertain[]> {
  const { rows } = await database.query<{ account: string; id: string; count: number }>(singlesStatement);
  const outcomes = await readOutcomes(
    database,
    rows.map(({ id }) => id),
  );
  const byAccount = new Map<string, number>();
  for (const { account, id, count } of rows) {
    const { state } = foldOutcomes(count, outcomes.get(id)!);
    const messages = state.filter((number) => number === stateNumber.uncertain).length;
    if (messages > 0) byAccount.set(account, (byAccount.get(account) ?? 0) + messages);
  }
  return [...byAccount].map(([account, messages]) => ({ account, messages })).slice(0, listedMax);
}

const batchesStatement = {
  name: 'read_uncertain_batches',
  // A batch that is done carries its counts; of the others there are counters.
  text: `SELECT coalesce(a.name, u.account_id::text) AS account, sum(u.messages)::float8 AS messages,
      count(*)::int AS batches, max(u.id::text) AS newest
    FROM (
      SELECT id, account_id, (counts->>'uncertain')::float8 AS messages FROM batch WHERE done_at IS NOT NULL
      UNION ALL
      SELECT b.id, b.account_id, sum(p.count)::float8
      FROM batch b JOIN batch_progress p ON p.batch = b.id AND p.state = 9
      WHERE b.done_at IS NULL GROUP BY b.id, b.account_id
    ) AS u LEFT JOIN account a ON a.id = u.account_id
    WHERE u.messages > 0
    GROUP BY 1 ORDER BY 2 DESC LIMIT ${listedMax}`,
};

export async function readUncertainBatches(database: Queryable): Promise<UncertainBatches[]> {
  return (await database.query<UncertainBatches & Record<string, unknown>>(batchesStatement)).rows;
}
