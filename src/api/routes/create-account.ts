import { type Static, Type } from 'typebox';
import type { Account } from '../../message/account.ts';
import { findAccountByName, insertAccount } from '../../store/control/accounts.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { controlWrite } from '../control-write.ts';
import {
  AccountAnswer,
  accountAnswer,
  accountFields,
  checkDefaultRoutes,
  nameTaken,
  readDefaultCountry,
} from './account-fields.ts';

const Body = Type.Object(accountFields, { additionalProperties: false });

export function createAccount(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/accounts',
    {
      config: { scope: 'admin', errors: ['conflict'] },
      schema: {
        summary: 'Make an account',
        tags: ['accounts'],
        body: Body,
        response: { 201: AccountAnswer },
      },
    },
    (request, reply) => {
      const { defaultCountry: country = null, ...body } = request.body;
      const defaultCountry = readDefaultCountry(country);
      const fields = { weight: 1, defaultRoutes: {}, limits: {}, prepaid: null, ...body, defaultCountry };
      return controlWrite(
        context,
        { request, reply },
        {
          async change(transaction, { again }) {
            const present = await findAccountByName(transaction, fields.name);
            if (present && !(again && isTheSame(present, fields))) throw nameTaken(fields.name);
            await checkDefaultRoutes(transaction, {
              routes: fields.defaultRoutes,
              secrets: context.secrets,
            });
            const account = present ?? (await insertAccount(transaction, fields));
            return { status: 201, body: accountAnswer(account) };
          },
        },
      );
    },
  );
}

/** Whether an earlier try of this very request made the account. */
function isTheSame(account: Account, fields: Static<typeof Body>): boolean {
  const { sms, email, webhook } = fields.defaultRoutes ?? {};
  const routes = account.defaultRoutes;
  return (
    account.weight === fields.weight &&
    account.defaultCountry === fields.defaultCountry &&
    account.limits.requestsPerSecond === fields.limits?.requestsPerSecond &&
    account.limits.ratePerSecond === fields.limits?.ratePerSecond &&
    account.limits.messagesPerDay === fields.limits?.messagesPerDay &&
    account.limits.partsPerDay === fields.limits?.partsPerDay &&
    account.prepaid?.partMicros === fields.prepaid?.partMicros &&
    account.prepaid?.currency === fields.prepaid?.currency &&
    account.prepaid?.messageMicros === fields.prepaid?.messageMicros &&
    routes.sms === sms &&
    routes.email === email &&
    routes.webhook === webhook
  );
}
