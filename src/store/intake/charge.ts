import { type Allowance, fitting, type RefusedBy } from '../../message/allowance.ts';
import { limits } from '../../message/limits.ts';
import type { Queryable } from '../database.ts';

/** Why the rest is not taken. */
export interface Refusal {
  by: RefusedBy;
  /** Until the day ends by the database's clock, in whole seconds; absent where waiting does not help. */
  retryAfterSeconds?: number;
}

export interface Charge {
  /** So many of the messages, the first ones, are paid for. */
  count: number;
  /** Set when these are not all. */
  refusal?: Refusal;
}

/** An account's meter, locked: until the transaction ends, others that charge the account wait. */
export interface Meter {
  accountId: number;
  allowance: Allowance;
  /** What is left of the day by the database's clock. */
  daySeconds: number;
}

/** Where the meter and the credits of an account lie. */
export function meterShard(accountId: number): number {
  return accountId % limits.shards;
}

/**
 * To be called before anything is stored that is charged for, and charged for in the same transaction. It writes in any case,
 * so that COMMIT waits for the standby that an earlier try may not have reached. A day never goes back: who began before midnight and
 * waited for one that began after it is charged for the new day.
 */
export async function lockMeter(transaction: Queryable, accountId: number): Promise<Meter> {
  const meter = await transaction.query<{ messages: string; balance_micros: string }>(
    {
      name: 'lock_meter',
      text: `INSERT INTO account_meter AS present (shard, account_id, day)
        VALUES ($1, $2, (now() AT TIME ZONE 'UTC')::date)
        ON CONFLICT (shard, account_id) DO UPDATE SET
          messages = CASE WHEN present.day < excluded.day THEN 0 ELSE present.messages END,
          parts = CASE WHEN present.day < excluded.day THEN 0 ELSE present.parts END,
          day = greatest(present.day, excluded.day)
        RETURNING messages, balance_micros`,
    },
    [meterShard(accountId), accountId],
  );
  // Read behind the lock, and not from memory: a limit holds from the change's COMMIT on, on every server.
  const account = await transaction.query<Pick<Allowance, 'limits' | 'prepaid'> & { day_seconds: number }>(
    {
      name: 'read_allowance',
      text: `SELECT limits, prepaid, ceil(extract(epoch FROM
          date_trunc('day', now() AT TIME ZONE 'UTC') + interval '1 day' - now() AT TIME ZONE 'UTC'))::integer AS day_seconds
        FROM account WHERE id = $1`,
    },
    [accountId],
  );
  const { messages, balance_micros } = meter.rows[0]!;
  const { limits: most, prepaid, day_seconds: daySeconds } = account.rows[0]!;
  const used = { messages: Number(messages) };
  const allowance = { limits: most, prepaid, used, balanceMicros: Number(balance_micros) };
  return { accountId, allowance, daySeconds };
}

/** Charges for as many of these messages, once in a transaction, as the account may send. */
export async function charge(
  transaction: Queryable,
  { accountId, allowance, daySeconds }: Meter,
  messages: number,
): Promise<Charge> {
  const { count, refusedBy } = fitting(allowance, messages);
  if (count > 0) {
    const micros = count * (allowance.prepaid?.messageMicros ?? 0);
    await transaction.query(raiseMeter, [meterShard(accountId), accountId, count, micros]);
  }
  if (refusedBy === undefined) return { count };
  return {
    count,
    refusal: { by: refusedBy, ...(refusedBy !== 'credit' && { retryAfterSeconds: daySeconds }) },
  };
}

const raiseMeter = {
  name: 'raise_meter',
  text: `UPDATE account_meter
    SET messages = messages + $3, balance_micros = balance_micros - $4, spent_micros = spent_micros + $4
    WHERE shard = $1 AND account_id = $2`,
};
