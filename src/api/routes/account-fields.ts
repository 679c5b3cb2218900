import { Type } from 'typebox';
import type { Account } from '../../message/account.ts';
import { ProblemError } from '../../message/error-codes.ts';

export const nameMax = 200;
const routeName = Type.String({ minLength: 1, maxLength: 64 });

export const DefaultRoutes = Type.Object(
  { sms: Type.Optional(routeName), email: Type.Optional(routeName), webhook: Type.Optional(routeName) },
  { additionalProperties: false, description: 'the routes of messages that name none, by channel' },
);

export const AccountName = Type.String({ minLength: 1, maxLength: nameMax, pattern: '^\\S(.*\\S)?$' });
export const Weight = Type.Integer({
  minimum: 1,
  maximum: 1_000,
  description: 'share of capacity beside other accounts',
});

export const AccountAnswer = Type.Object({
  id: Type.String(),
  name: Type.String(),
  weight: Type.Integer(),
  defaultRoutes: DefaultRoutes,
  createdAt: Type.String({ format: 'date-time' }),
});

export function showAccount(account: Account) {
  return {
    id: String(account.id),
    name: account.name,
    weight: account.weight,
    defaultRoutes: account.defaultRoutes,
    createdAt: account.createdAt.toISOString(),
  };
}

const integerMax = 2_147_483_647;

/** The number of an account id, or null for a text that is none. */
export function parseAccountId(text: string): number | null {
  if (!/^[1-9]\d{0,9}$/.test(text)) return null;
  const id = Number(text);
  return id <= integerMax ? id : null;
}

export function noSuchAccount(): ProblemError {
  return new ProblemError('not_found', 'there is no such account');
}
