import type { Database } from '../database.ts';
import { faultThrown } from '../database-error.ts';
import { deltaSlot, deltaSlots } from './insert-delta.ts';

/** How long whoever still writes to the partition is waited for; everybody who would write to it waits behind. */
const lockMs = 200;

/**
 * Truncates the partition of deltas that has not been written to for the longest time, if nothing is left in it. True when that
 * was done.
 */
export async function emptyDeltaSlot(database: Database): Promise<boolean> {
  try {
    return await emptyOldest(database);
  } catch (error) {
    // Somebody looks at it, or vacuums it: there is another turn.
    if (faultThrown(error).kind === 'timeout') return false;
    throw error;
  }
}

async function emptyOldest(database: Database): Promise<boolean> {
  const { rows } = await database.query<{ slot: number; bytes: number }>({
    name: 'oldest_delta_slot',
    text: `SELECT slot, pg_relation_size(('statistics_delta_' || slot)::regclass)::float8 AS bytes
      FROM (SELECT (${deltaSlot} + 1) % ${deltaSlots} AS slot) AS oldest`,
  });
  const { slot, bytes } = rows[0]!;
  if (bytes === 0) return false;
  const table = `statistics_delta_${slot}`;
  return await database.transaction(async (transaction) => {
    const run = (text: string) => transaction.query<{ empty: boolean }>({ name: '', text });
    await run(`SET LOCAL lock_timeout = ${lockMs}`);
    await run(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
    const { rows: found } = await run(`SELECT NOT EXISTS (SELECT FROM ${table}) AS empty`);
    if (!found[0]!.empty) return false;
    await run(`TRUNCATE ${table}`);
    return true;
  });
}
