import { limits } from '../../message/limits.ts';
import type { Database } from '../database.ts';

/** Shards of one statement: an account of 300 keyed messages a second has some 25,000 answers a day on each. */
const shardsAtOnce = 64;

const findStatement = {
  name: 'find_answers_quoting',
  text: `SELECT shard, key, created_on::text AS "createdOn", answer FROM idempotency
    WHERE account_id = $1 AND shard BETWEEN $2 AND $3 AND answer IS NOT NULL
      AND position($4::bytea IN answer) > 0`,
};

const writeStatement = {
  name: 'scrub_answer',
  text: `UPDATE idempotency SET answer = $5
    WHERE shard = $1 AND account_id = $2 AND key = $3 AND created_on = $4::date`,
};

/**
 * Rewrites the stored answers of an account that hold some bytes. `rewrite` gives the new answer, or undefined to
 * leave it. Answers how many it rewrote.
 */
export async function scrubAnswers(
  database: Database,
  of: { accountId: number; holding: Buffer; rewrite: (answer: string) => string | undefined },
): Promise<number> {
  const { accountId, holding, rewrite } = of;
  let count = 0;
  for (let shard = 0; shard < limits.shards; shard += shardsAtOnce) {
    const { rows } = await database.query<{
      shard: number;
      key: string;
      createdOn: string;
      answer: Buffer;
    }>(findStatement, [accountId, shard, shard + shardsAtOnce - 1, holding]);
    for (const row of rows) {
      const answer = rewrite(row.answer.toString());
      if (answer === undefined) continue;
      const values = [row.shard, accountId, row.key, row.createdOn, Buffer.from(answer)];
      await database.query(writeStatement, values);
      count++;
    }
  }
  return count;
}
