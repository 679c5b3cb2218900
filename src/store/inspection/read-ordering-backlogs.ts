import { limits } from '../../message/limits.ts';
import type { Queryable } from '../database.ts';

/** An account of whose messages with ordering keys more are unfinished on some shards than an owner keeps in memory. */
export interface OrderingBacklog {
  account: string;
  shards: number;
  messages: number;
  /** That of the most chunks; null where none has one. */
  batch: string | null;
}

const listedMax = 20;

const statement = {
  name: 'read_ordering_backlogs',
  text: `SELECT coalesce(a.name, p.account_id::text) AS account, p.shards, p.messages, p.batch
    FROM (
      SELECT account_id, count(*)::int AS shards, sum(messages)::float8 AS messages,
        mode() WITHIN GROUP (ORDER BY batch) AS batch
      FROM (
        SELECT s.*, sum(s.weight) OVER (PARTITION BY o.worker) AS total
        FROM (
          SELECT account_id, shard, sum(count) AS messages, sum(count + $1::int) AS weight,
            mode() WITHIN GROUP (ORDER BY batch) AS batch
          FROM pending WHERE ordered IS NOT NULL GROUP BY account_id, shard
        ) AS s LEFT JOIN shard_owner o ON o.shard = s.shard
      ) AS t WHERE weight >= $2 OR (weight >= $3 AND total >= $4)
      GROUP BY account_id ORDER BY 3 DESC LIMIT ${listedMax}
    ) AS p LEFT JOIN account a ON a.id = p.account_id
    ORDER BY p.messages DESC`,
};

export async function readOrderingBacklogs(database: Queryable): Promise<OrderingBacklog[]> {
  const { orderedChunkWeight, orderedWeightMax, orderedWeightLeast, orderedTotalMax } = limits;
  const values = [orderedChunkWeight, orderedWeightMax, orderedWeightLeast, orderedTotalMax];
  return (await database.query<OrderingBacklog & Record<string, unknown>>(statement, values)).rows;
}
