import { randomUUID } from 'node:crypto';
import { Type } from 'typebox';
import { ProblemError } from '../../message/error-codes.ts';
import { findAccount } from '../../store/control/accounts.ts';
import { addCredit as insertCredit } from '../../store/control/meters.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { idempotently } from '../idempotency.ts';
import { currencyForm, noSuchAccount, parseAccountId } from './account-fields.ts';

/** A thousand million of the currency. */
const amountMicrosMax = 1_000_000_000_000_000;
const reasonLengthMax = 500;

/** Tops an account's balance up, or corrects it. */
export function addCredit(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/accounts/:id/credit',
    {
      config: { scope: 'admin', errors: ['not_found', 'conflict', 'idempotency_key_reused'] },
      schema: {
        summary: 'Give credit to a prepaid account',
        description:
          'Needs an `Idempotency-Key`, so that nobody pays twice. Each credit is kept with its reason, its time and the key that ' +
          'asked for it. A negative amount takes back; the balance may become negative by it.',
        tags: ['accounts'],
        params: Type.Object({ id: Type.String() }),
        body: Type.Object(
          {
            amountMicros: Type.Integer({
              minimum: -amountMicrosMax,
              maximum: amountMicrosMax,
              description: 'in millionths of the currency',
            }),
            currency: Type.String({ ...currencyForm, description: 'that of the account' }),
            reason: Type.String({
              minLength: 1,
              maxLength: reasonLengthMax,
              description: 'such as an invoice',
            }),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({
            id: Type.String(),
            amountMicros: Type.Integer(),
            currency: Type.String(),
            reason: Type.String(),
            balanceMicros: Type.Integer({ description: 'with this credit, by the time of the answer' }),
          }),
        },
      },
    },
    async (request, reply) => {
      const accountId = parseAccountId(request.params.id);
      if (accountId === null) throw noSuchAccount();
      if (request.headers['idempotency-key'] === undefined) {
        throw new ProblemError(
          'invalid_request',
          'Send an Idempotency-Key, and the same one when you try again.',
        );
      }
      const { body, caller } = request;
      return await idempotently(
        context,
        { request, reply },
        {
          body: Buffer.from(JSON.stringify(body)),
          reserve: () => ({ ids: [randomUUID()] }),
          async work({ reservation }) {
            const id = reservation.ids[0]!;
            await checkCurrency(context, { accountId, currency: body.currency });
            const credit = { id, accountId, ...body, keyId: caller.keyId };
            const balanceMicros = await insertCredit(context.database, credit);
            if (balanceMicros === undefined) throw tooLarge();
            return { status: 200, body: { id, ...body, balanceMicros } };
          },
        },
      );
    },
  );
}

async function checkCurrency(
  { database }: ApiContext,
  { accountId, currency }: { accountId: number; currency: string },
): Promise<void> {
  const account = await findAccount(database, accountId);
  if (!account) throw noSuchAccount();
  if (account.prepaid === null) {
    throw new ProblemError(
      'conflict',
      'The account is not prepaid: give it `prepaid` with a currency and a price first.',
    );
  }
  if (account.prepaid.currency !== currency) {
    throw new ProblemError('conflict', `The account’s currency is ${account.prepaid.currency}.`);
  }
}

function tooLarge(): ProblemError {
  return new ProblemError('conflict', 'The balance would become larger than what is counted exactly.');
}
