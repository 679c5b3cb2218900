import { shardOf } from '../../message/id.ts';
import { type State, stateNumber } from '../../message/state.ts';
import type { Queryable } from '../database.ts';
import type { BatchKey } from './hold-batch.ts';

const batchStatement = {
  name: 'find_folded_counts',
  text: `SELECT done_at IS NOT NULL AS done, canceled_at IS NOT NULL AS canceled, counts FROM batch
    WHERE shard = $1 AND id = $2 AND account_id = $3`,
};

const onceStatement = {
  name: 'find_outcome_of_states',
  // Whether some message still has the state, only its owner knows: but none does that never had it. The condition
  // on 3 and 4 is that of the partial index.
  text: `SELECT FROM outcome WHERE batch = $1 AND state = ANY($2::smallint[]) AND state NOT IN (3, 4)
    AND ($3::text IS NULL OR error_code = $3) LIMIT 1`,
};

/**
 * How many messages of a batch are in one of some final states, by the error that is asked for: null where only
 * their owners can tell, which are then to be asked.
 */
export async function countChosen(
  database: Queryable,
  { batch, accountId, states, errorCode }: BatchKey & { states: readonly State[]; errorCode?: string },
): Promise<number | null> {
  const { rows } = await database.query<{
    done: boolean;
    canceled: boolean;
    counts: Record<string, number> | null;
  }>(batchStatement, [shardOf(batch), batch, accountId]);
  const found = rows[0];
  if (!found || (found.canceled && !found.done)) return null;
  const counts = found.done ? found.counts : null;
  const counted = counts && states.reduce((sum, state) => sum + Number(counts[state] ?? 0), 0);
  if (counted === 0 || (counted !== null && errorCode === undefined)) return counted;
  const numbers = states.map((state) => stateNumber[state]);
  const { rowCount } = await database.query(onceStatement, [batch, numbers, errorCode ?? null]);
  return rowCount === 0 ? 0 : null;
}
