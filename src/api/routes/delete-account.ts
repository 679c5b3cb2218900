import { Type } from 'typebox';
import { defaultAccountId } from '../../message/account.ts';
import { ProblemError } from '../../message/error-codes.ts';
import { findAccount, deleteAccount as markDeleted } from '../../store/control/accounts.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { controlWrite } from '../control-write.ts';
import { AccountAnswer, accountAnswer, noSuchAccount, parseAccountId } from './account-fields.ts';
import { keepAnAdministrator } from './key-fields.ts';

export function deleteAccount(app: ApiInstance, context: ApiContext): void {
  app.delete(
    '/v1/accounts/:id',
    {
      config: { scope: 'admin', errors: ['not_found', 'conflict'] },
      schema: {
        summary: 'Delete an account',
        description:
          'Its keys are revoked and its name is free again. What it had sent is still delivered, and its id ' +
          'is never given to another. The account `default` cannot be deleted.',
        tags: ['accounts'],
        params: Type.Object({ id: Type.String() }),
        response: { 200: AccountAnswer },
      },
    },
    (request, reply) => {
      const id = parseAccountId(request.params.id);
      if (id === null) throw noSuchAccount();
      if (id === defaultAccountId) throw new ProblemError('conflict', 'the account "default" must stay');
      return controlWrite(
        context,
        { request, reply },
        {
          async change(transaction) {
            const account = await findAccount(transaction, id);
            if (!account) throw noSuchAccount();
            await markDeleted(transaction, id);
            await keepAnAdministrator(transaction);
            return { status: 200, body: accountAnswer(account) };
          },
        },
      );
    },
  );
}
