import type { Queryable } from '../database.ts';

export interface HeldBatch {
  id: string;
  canceled: boolean;
}

const isHeld = 'done_at IS NULL AND (paused_at IS NOT NULL OR canceled_at IS NOT NULL)';

const statement = {
  name: 'read_held_batches',
  text: `SELECT id, canceled_at IS NOT NULL AS canceled FROM batch WHERE ${isHeld}`,
};

/** The unfinished batches that are paused or canceled. */
export async function readHeldBatches(database: Queryable): Promise<HeldBatch[]> {
  return (await database.query<HeldBatch>(statement)).rows;
}

/** Of an id, its last hexadecimal digits: nearly all of them are random. */
const digits = 15;
const digestOfId = `('x' || right(replace(id::text, '-', ''), ${digits}))::bit(${4 * digits})::bigint`;

const digestStatement = {
  name: 'read_held_digest',
  text: `SELECT concat_ws(' ', count(*), coalesce(sum(${digestOfId}), 0),
      coalesce(sum(${digestOfId}) FILTER (WHERE canceled_at IS NOT NULL), 0)) AS digest
    FROM batch WHERE ${isHeld}`,
};

/** What tells two sets of held batches apart: `heldDigest` of what `readHeldBatches` would answer. */
export async function readHeldDigest(database: Queryable): Promise<string> {
  return (await database.query<{ digest: string }>(digestStatement)).rows[0]!.digest;
}

export function heldDigest(batches: readonly HeldBatch[]): string {
  let [all, canceled] = [0n, 0n];
  for (const batch of batches) {
    const number = BigInt(`0x${batch.id.replaceAll('-', '').slice(-digits)}`);
    all += number;
    if (batch.canceled) canceled += number;
  }
  return `${batches.length} ${all} ${canceled}`;
}
