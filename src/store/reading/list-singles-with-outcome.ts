import type { StateNumber } from '../../message/state.ts';
import type { Queryable } from '../database.ts';
import type { ChunkKey } from './list-chunk-keys.ts';

/**
 * The chunks of an account's messages that belong to no batch, newest first, in which some message once had the state;
 * whether one still has it, the fold tells. The last condition is that of the partial index, which knows final states but
 * for sent and delivered.
 */
export const listSinglesWithOutcomeStatement = {
  name: 'list_singles_with_outcome',
  text: `
    SELECT c.id, c.count
      FROM (
        SELECT DISTINCT chunk_id, shard FROM outcome
         WHERE account_id = $1 AND state = $2 AND chunk_id >= $3 AND chunk_id < $4 AND batch IS NULL AND state >= 5
         ORDER BY chunk_id DESC, shard DESC LIMIT $5
      ) AS key
      JOIN chunk c ON c.shard = key.shard AND c.id = key.chunk_id
     ORDER BY c.id DESC`,
};

export async function listSinglesWithOutcome(
  database: Queryable,
  page: { accountId: number; state: StateNumber; from: string; to: string; limit: number },
): Promise<ChunkKey[]> {
  const { rows } = await database.query<ChunkKey & Record<string, unknown>>(listSinglesWithOutcomeStatement, [
    page.accountId,
    page.state,
    page.from,
    page.to,
    page.limit,
  ]);
  return rows;
}
