import {
  type Allowance,
  type Amount,
  fitting,
  priceMicros,
  type RefusedBy,
  refusing,
} from '../../message/allowance.ts';
import { limits } from '../../message/limits.ts';
import type { Queryable } from '../database.ts';

/** Why the rest is not taken. */
export interface Refusal {
  by: RefusedBy;
  /** Until the day ends by the database's clock, in whole seconds; absent where waiting does not help. */
  retryAfterSeconds?: number;
}

export interface Fit {
  /** So many of the messages, the first ones. */
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
  const meter = await transaction.query<MeterRow>(
    {
      name: 'lock_meter',
      text: `INSERT INTO account_meter AS present (shard, account_id, day)
        VALUES ($1, $2, (now() AT TIME ZONE 'UTC')::date)
        ON CONFLICT (shard, account_id) DO UPDATE SET
          messages = CASE WHEN present.day < excluded.day THEN 0 ELSE present.messages END,
          parts = CASE WHEN present.day < excluded.day THEN 0 ELSE present.parts END,
          day = greatest(present.day, excluded.day)
        RETURNING messages, parts, balance_micros`,
    },
    [meterShard(accountId), accountId],
  );
  // Read behind the lock, and not from memory: a limit holds from the change's COMMIT on, on every server.
  const account = await transaction.query<AccountRow>(
    { name: 'read_allowance', text: `SELECT ${accountColumns} FROM account WHERE id = $1` },
    [accountId],
  );
  return meterOf(accountId, { meter: meter.rows[0]!, account: account.rows[0]! });
}

/** How many of these messages the account may send, by the parts of each. */
export function fitOf(meter: Meter, parts: ArrayLike<number>): Fit {
  const { count, refusedBy } = fitting(meter.allowance, parts);
  return refusedBy === undefined ? { count } : { count, refusal: refusalOf(meter, refusedBy) };
}

/** Why the account may not send all of this. */
export function refusalOfWhole(meter: Meter, amount: Amount): Refusal | undefined {
  const by = refusing(meter.allowance, amount);
  return by && refusalOf(meter, by);
}

function refusalOf({ daySeconds }: Meter, by: RefusedBy): Refusal {
  return { by, ...(by !== 'credit' && { retryAfterSeconds: daySeconds }) };
}

/** Charges for messages that fit, in the transaction that has locked the meter. */
export async function charge(
  transaction: Queryable,
  { accountId, allowance }: Meter,
  amount: Amount,
): Promise<void> {
  const { messages, parts } = amount;
  if (messages === 0) return;
  const micros = priceMicros(allowance.prepaid, amount);
  await transaction.query(raiseMeter, [meterShard(accountId), accountId, messages, parts, micros]);
}

/** The same of the meter as it is at the moment, while others may be charged. */
export async function previewFit(
  database: Queryable,
  { accountId, parts }: { accountId: number; parts: ArrayLike<number> },
): Promise<Fit> {
  const { rows } = await database.query<MeterRow & AccountRow>(
    {
      name: 'preview_meter',
      text: `SELECT ${accountColumns}, coalesce(meter.messages, 0) AS messages, coalesce(meter.parts, 0) AS parts,
          coalesce(meter.balance_micros, 0) AS balance_micros, meter.day >= (now() AT TIME ZONE 'UTC')::date AS today
        FROM account LEFT JOIN account_meter AS meter ON meter.shard = $1 AND meter.account_id = account.id
        WHERE id = $2`,
    },
    [meterShard(accountId), accountId],
  );
  const row = rows[0]!;
  const used = row.today ? row : { ...row, messages: '0', parts: '0' };
  return fitOf(meterOf(accountId, { meter: used, account: row }), parts);
}

interface MeterRow extends Record<string, unknown> {
  messages: string;
  parts: string;
  balance_micros: string;
}

interface AccountRow extends Pick<Allowance, 'limits' | 'prepaid'>, Record<string, unknown> {
  day_seconds: number;
}

const accountColumns = `limits, prepaid, ceil(extract(epoch FROM
  date_trunc('day', now() AT TIME ZONE 'UTC') + interval '1 day' - now() AT TIME ZONE 'UTC'))::integer AS day_seconds`;

function meterOf(accountId: number, { meter, account }: { meter: MeterRow; account: AccountRow }): Meter {
  const { limits: most, prepaid, day_seconds: daySeconds } = account;
  const used = { messages: Number(meter.messages), parts: Number(meter.parts) };
  const balanceMicros = Number(meter.balance_micros);
  return { accountId, allowance: { limits: most, prepaid, used, balanceMicros }, daySeconds };
}

const raiseMeter = {
  name: 'raise_meter',
  text: `UPDATE account_meter
    SET messages = messages + $3, parts = parts + $4,
      balance_micros = balance_micros - $5, spent_micros = spent_micros + $5
    WHERE shard = $1 AND account_id = $2`,
};
