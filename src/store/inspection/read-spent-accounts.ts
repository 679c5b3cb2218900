import type { Account } from '../../message/account.ts';
import { type Allowance, type RefusedBy, refusing } from '../../message/allowance.ts';
import type { Queryable } from '../database.ts';

/** An account of which not even one more SMS is taken. */
export interface SpentAccount extends Pick<Account, 'id' | 'name' | 'limits' | 'prepaid'> {
  refusedBy: RefusedBy;
  balanceMicros: number;
}

const statement = {
  name: 'read_spent_accounts',
  text: `SELECT account.id, account.name, account.limits, account.prepaid,
      CASE WHEN meter.day >= clock.day THEN meter.messages ELSE 0 END AS messages,
      CASE WHEN meter.day >= clock.day THEN meter.parts ELSE 0 END AS parts,
      coalesce(meter.balance_micros, 0) AS balance_micros
    FROM account CROSS JOIN (SELECT (now() AT TIME ZONE 'UTC')::date AS day) AS clock
    LEFT JOIN account_meter AS meter ON meter.account_id = account.id
    WHERE account.deleted_at IS NULL
      AND (account.prepaid IS NOT NULL OR account.limits ?| ARRAY['messagesPerDay', 'partsPerDay'])
    ORDER BY account.id`,
};

/** Live accounts that have used up their day's quota, or their balance. A quota of none is not one that was used up. */
export async function readSpentAccounts(database: Queryable): Promise<SpentAccount[]> {
  const { rows } = await database.query<MeterRow>(statement);
  return rows.flatMap(({ id, name, limits, prepaid, messages, parts, balance_micros: balance }) => {
    const used = { messages: Number(messages), parts: Number(parts) };
    const balanceMicros = Number(balance);
    const { messagesPerDay, partsPerDay } = limits;
    if (messagesPerDay === 0 || partsPerDay === 0) return [];
    const refusedBy = refusing({ limits, prepaid, used, balanceMicros }, { messages: 1, parts: 1 });
    return refusedBy === undefined ? [] : [{ id, name, limits, prepaid, refusedBy, balanceMicros }];
  });
}

interface MeterRow
  extends Pick<Account, 'id' | 'name'>,
    Pick<Allowance, 'limits' | 'prepaid'>,
    Record<string, unknown> {
  messages: string;
  parts: string;
  balance_micros: string;
}
