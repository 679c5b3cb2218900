import { findAccount } from '../../../store/control/accounts.ts';
import { readUsage } from '../../../store/control/meters.ts';
import type { ApiContext, ApiInstance } from '../../context.ts';
import { classicRoute } from './classic-route.ts';
import { readQuery } from './read-fields.ts';
import { refuseAll } from './refuse-all.ts';

/** What the classic API answers of an account that pays afterwards, whose amount is always 0. */
const postpaid = { payment: 'postpaid', type: 'credits', amount: 0 };

/** The currency as the classic API called it, and an amount in it. */
export function showBalance(app: ApiInstance, { database }: ApiContext): void {
  app.get('/balance', classicRoute('read'), async (request) => {
    refuseAll(readQuery(request));
    const { accountId } = request.caller;
    const prepaid = (await findAccount(database, accountId))?.prepaid;
    if (!prepaid) return postpaid;
    const { balanceMicros } = await readUsage(database, accountId);
    return { payment: 'prepaid', type: typeOf(prepaid.currency), amount: balanceMicros / 1_000_000 };
  });
}

function typeOf(currency: string): string {
  return names[currency] ?? currency.toLowerCase();
}

/** The classic API calls these by name. */
const names: Record<string, string> = { EUR: 'euros', GBP: 'pounds', USD: 'dollars' };
