import { Type } from 'typebox';
import { type Account, isMetered } from '../../message/account.ts';
import { allows } from '../../message/api-key.ts';
import { findAccount } from '../../store/control/accounts.ts';
import { readUsage, type Usage } from '../../store/control/meters.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { noSuchAccount, parseAccountId } from './account-fields.ts';

const Used = Type.Object({
  used: Type.Integer(),
  limit: Type.Union([Type.Integer(), Type.Null()]),
  left: Type.Union([Type.Integer(), Type.Null()]),
});

/** What an account has used today, and what is left: for administrators and for the account itself. */
export function showUsage(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/accounts/:id/usage',
    {
      config: { scope: 'read', errors: ['not_found'] },
      schema: {
        summary: 'What an account has used of its quota and balance',
        description:
          'Counted is what was taken in while the account had a daily quota or was prepaid (`metered`), on a day of UTC by the ' +
          'database’s clock. Canceled messages stay counted. `parts` are SMS: a message is one while the account has neither ' +
          '`partsPerDay` nor `partMicros`. Money is in millionths of the currency.',
        tags: ['accounts'],
        params: Type.Object({ id: Type.String() }),
        response: {
          200: Type.Object({
            metered: Type.Boolean(),
            day: Type.String({ format: 'date' }),
            nextDayAt: Type.String({ format: 'date-time' }),
            messages: Used,
            parts: Used,
            prepaid: Type.Union([
              Type.Object({
                currency: Type.String(),
                balanceMicros: Type.Integer(),
                spentMicros: Type.Integer(),
              }),
              Type.Null(),
            ]),
          }),
        },
      },
    },
    async ({ params, caller }) => {
      const id = parseAccountId(params.id);
      const mayLook = id === caller.accountId || allows(caller.scopes, 'admin');
      const account = id === null || !mayLook ? null : await findAccount(context.database, id);
      if (!account) throw noSuchAccount();
      return usageAnswer(account, await readUsage(context.database, account.id));
    },
  );
}

function usageAnswer(account: Account, usage: Usage) {
  const { limits, prepaid } = account;
  const { balanceMicros, spentMicros } = usage;
  return {
    metered: isMetered(account),
    day: usage.day,
    nextDayAt: usage.nextDayAt.toISOString(),
    messages: usedOf(usage.messages, limits.messagesPerDay),
    parts: usedOf(usage.parts, limits.partsPerDay),
    prepaid: prepaid && { currency: prepaid.currency, balanceMicros, spentMicros },
  };
}

function usedOf(used: number, limit: number | undefined) {
  return { used, limit: limit ?? null, left: limit === undefined ? null : Math.max(0, limit - used) };
}
