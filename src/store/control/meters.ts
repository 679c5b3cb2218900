import type { Account } from '../../message/account.ts';
import { type Database, DatabaseError, type Queryable } from '../database.ts';
import { lockMeter, meterShard } from '../intake/charge.ts';

/** What an account has used, as far as it was charged. */
export interface Usage {
  /** The day that it counts for, by the database's clock, and when the next one begins. */
  day: string;
  nextDayAt: Date;
  messages: number;
  parts: number;
  balanceMicros: number;
  spentMicros: number;
}

export async function readUsage(database: Queryable, accountId: number): Promise<Usage> {
  const { rows } = await database.query<UsageRow>(
    {
      name: 'read_usage',
      text: `SELECT clock.day::text, (clock.day + 1)::timestamp AT TIME ZONE 'UTC' AS next_day_at,
          CASE WHEN meter.day >= clock.day THEN meter.messages ELSE 0 END AS messages,
          CASE WHEN meter.day >= clock.day THEN meter.parts ELSE 0 END AS parts,
          coalesce(meter.balance_micros, 0) AS balance_micros, coalesce(meter.spent_micros, 0) AS spent_micros
        FROM (SELECT (now() AT TIME ZONE 'UTC')::date AS day) AS clock
        LEFT JOIN account_meter AS meter ON meter.shard = $1 AND meter.account_id = $2`,
    },
    [meterShard(accountId), accountId],
  );
  const row = rows[0]!;
  return {
    day: row.day,
    nextDayAt: row.next_day_at,
    messages: Number(row.messages),
    parts: Number(row.parts),
    balanceMicros: Number(row.balance_micros),
    spentMicros: Number(row.spent_micros),
  };
}

interface UsageRow extends Record<string, unknown> {
  day: string;
  next_day_at: Date;
  messages: string;
  parts: string;
  balance_micros: string;
  spent_micros: string;
}

/** What somebody gives to a balance, or takes from it. */
export interface Credit {
  id: string;
  accountId: number;
  /** In millionths of the currency; negative to correct. */
  amountMicros: number;
  currency: string;
  reason: string;
  /** The administrator's key that asked for it. */
  keyId: string;
}

/** Money is an exact number below this. */
const balanceMicrosMax = Number.MAX_SAFE_INTEGER;
const uniqueViolation = '23505';

/**
 * Moves the balance and writes down why, once for each id: the same credit again changes nothing. Answers the balance, or
 * undefined where it would become a number that is not exact.
 */
export async function addCredit(database: Database, credit: Credit): Promise<number | undefined> {
  const { id, accountId, amountMicros, currency, reason, keyId } = credit;
  const shard = meterShard(accountId);
  try {
    return await database.transaction(async (transaction) => {
      const { allowance } = await lockMeter(transaction, accountId);
      const balanceMicros = allowance.balanceMicros + amountMicros;
      if (Math.abs(balanceMicros) > balanceMicrosMax) return undefined;
      await transaction.query(
        {
          name: 'insert_credit',
          text: `INSERT INTO account_credit (shard, id, account_id, amount_micros, currency, reason, key_id)
            VALUES ($1, $2, $3, $4, $5, $6, $7)`,
        },
        [shard, id, accountId, amountMicros, currency, reason, keyId],
      );
      await transaction.query(
        {
          name: 'raise_balance',
          text: 'UPDATE account_meter SET balance_micros = balance_micros + $3 WHERE shard = $1 AND account_id = $2',
        },
        [shard, accountId, amountMicros],
      );
      return balanceMicros;
    });
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.fault.code !== uniqueViolation) throw error;
    return (await readUsage(database, accountId)).balanceMicros;
  }
}

/** Whether an account's currency may change: not while there is money in another. */
export async function mayChangeCurrency(
  database: Queryable,
  { id, prepaid }: Pick<Account, 'id' | 'prepaid'>,
  currency: string,
): Promise<boolean> {
  const { balanceMicros } = await readUsage(database, id);
  return balanceMicros === 0 || prepaid === null || prepaid.currency === currency;
}
