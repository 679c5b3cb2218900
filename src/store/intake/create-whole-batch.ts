import type { Amount } from '../../message/allowance.ts';
import { shardOf } from '../../message/id.ts';
import type { Database, Queryable } from '../database.ts';
import { charge, lockMeter, type Refusal, refusalOfWhole } from './charge.ts';
import { createBatch, type NewBatch } from './create-batch.ts';

/**
 * Makes a batch whose messages are known, and charges for all of them. What the account may not send whole makes none, and is not charged.
 * Repeating it with the same id changes nothing.
 */
export async function createWholeBatch(
  database: Database,
  batch: NewBatch,
  amount: Amount,
): Promise<Refusal | undefined> {
  return await database.transaction(async (transaction) => {
    // The meter comes first: it makes this wait for an earlier try whose COMMIT is still under way.
    const meter = await lockMeter(transaction, batch.accountId);
    if (await isThere(transaction, batch)) return undefined;
    const refusal = refusalOfWhole(meter, amount);
    if (refusal) return refusal;
    await createBatch(transaction, batch);
    await charge(transaction, meter, amount);
    return undefined;
  });
}

async function isThere(database: Queryable, { id }: NewBatch): Promise<boolean> {
  const statement = { name: 'batch_is_there', text: 'SELECT 1 FROM batch WHERE shard = $1 AND id = $2' };
  return (await database.query(statement, [shardOf(id), id])).rowCount > 0;
}
