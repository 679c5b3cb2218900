import { Type } from 'typebox';
import { ProblemError } from '../../message/error-codes.ts';
import { findAccount, findAccountByName, updateAccount } from '../../store/control/accounts.ts';
import { mayChangeCurrency } from '../../store/control/meters.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { controlWrite } from '../control-write.ts';
import {
  AccountAnswer,
  accountAnswer,
  accountFields,
  checkDefaultRoutes,
  nameTaken,
  noSuchAccount,
  parseAccountId,
  readDefaultCountry,
} from './account-fields.ts';

export function changeAccount(app: ApiInstance, context: ApiContext): void {
  app.patch(
    '/v1/accounts/:id',
    {
      config: { scope: 'admin', errors: ['not_found', 'conflict'] },
      schema: {
        summary: 'Change an account',
        description:
          'Fields left out stay as they are; `defaultRoutes`, `limits` and `prepaid` are replaced as a whole.',
        tags: ['accounts'],
        params: Type.Object({ id: Type.String() }),
        body: Type.Partial(Type.Object(accountFields), { additionalProperties: false }),
        response: { 200: AccountAnswer },
      },
    },
    (request, reply) => {
      const id = parseAccountId(request.params.id);
      if (id === null) throw noSuchAccount();
      const { name, weight, defaultRoutes, limits, prepaid } = request.body;
      const country = request.body.defaultCountry;
      const defaultCountry = country === undefined ? undefined : readDefaultCountry(country);
      return controlWrite(
        context,
        { request, reply },
        {
          async change(transaction) {
            const present = await findAccount(transaction, id);
            if (!present) throw noSuchAccount();
            if (name !== undefined) {
              const holder = await findAccountByName(transaction, name);
              if (holder && holder.id !== id) throw nameTaken(name);
            }
            if (defaultRoutes) {
              await checkDefaultRoutes(transaction, {
                routes: defaultRoutes,
                accountId: id,
                secrets: context.secrets,
              });
            }
            if (prepaid && !(await mayChangeCurrency(transaction, present, prepaid.currency))) {
              throw new ProblemError(
                'conflict',
                'There is money of another currency: take it back first, by a credit.',
              );
            }
            const account = await updateAccount(transaction, id, {
              name: name ?? present.name,
              weight: weight ?? present.weight,
              defaultRoutes: defaultRoutes ?? present.defaultRoutes,
              defaultCountry: defaultCountry === undefined ? present.defaultCountry : defaultCountry,
              limits: limits ?? present.limits,
              prepaid: prepaid === undefined ? present.prepaid : prepaid,
            });
            if (!account) throw noSuchAccount();
            return { status: 200, body: accountAnswer(account) };
          },
        },
      );
    },
  );
}
