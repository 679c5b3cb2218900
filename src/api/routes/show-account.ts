import { Type } from 'typebox';
import { findAccount } from '../../store/control/accounts.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { AccountAnswer, accountAnswer, noSuchAccount, parseAccountId } from './account-fields.ts';

export function showAccount(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/accounts/:id',
    {
      config: { scope: 'admin', errors: ['not_found'] },
      schema: {
        summary: 'One account',
        tags: ['accounts'],
        params: Type.Object({ id: Type.String() }),
        response: { 200: AccountAnswer },
      },
    },
    async (request) => {
      const id = parseAccountId(request.params.id);
      const account = id === null ? null : await findAccount(context.database, id);
      if (!account) throw noSuchAccount();
      return accountAnswer(account);
    },
  );
}
