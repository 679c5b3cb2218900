import type { OutcomeRow } from '../../message/fold-outcomes.ts';
import { shardOf } from '../../message/id.ts';
import type { StateNumber } from '../../message/state.ts';
import type { Queryable } from '../database.ts';

const readOutcomesStatement = {
  name: 'read_outcomes',
  text: `
    SELECT o.chunk_id, o.at, o.due_at, o.state, o.attempt, o.offsets, o.error_code, o.details, o.provider_refs
      FROM unnest($1::smallint[], $2::uuid[]) AS key (shard, id)
      JOIN outcome o ON o.shard = key.shard AND o.chunk_id = key.id
     WHERE o.chunk_id >= $3 AND o.chunk_id <= $4
     ORDER BY o.chunk_id, o.seq`,
};

/** What is recorded of some chunks, by chunk, each in order of `seq`. `ids` must be in ascending order. */
export async function readOutcomes(
  database: Queryable,
  ids: readonly string[],
): Promise<Map<string, OutcomeRow[]>> {
  const outcomes = new Map<string, OutcomeRow[]>(ids.map((id) => [id, []]));
  if (ids.length === 0) return outcomes;
  const { rows } = await database.query<{
    chunk_id: string;
    at: Date;
    due_at: Date | null;
    state: StateNumber;
    attempt: number;
    offsets: Buffer | null;
    error_code: string | null;
    details: (string | null)[] | null;
    provider_refs: (string | null)[] | null;
  }>(readOutcomesStatement, [ids.map(shardOf), ids, ids[0], ids.at(-1)]);
  for (const row of rows) {
    outcomes.get(row.chunk_id)!.push({
      at: row.at,
      dueAt: row.due_at,
      state: row.state,
      attempt: row.attempt,
      offsets: row.offsets,
      errorCode: row.error_code,
      details: row.details,
      providerRefs: row.provider_refs,
    });
  }
  return outcomes;
}
