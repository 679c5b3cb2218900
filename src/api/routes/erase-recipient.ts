import { Type } from 'typebox';
import { systemClock } from '../../lib/clock.ts';
import { allows } from '../../message/api-key.ts';
import { ProblemError } from '../../message/error-codes.ts';
import { fieldLimits } from '../../message/field-limits.ts';
import { recipientProblem } from '../../message/recipient.ts';
import { namedAccount } from '../acting-for.ts';
import type { ApiContext, ApiInstance, Caller } from '../context.ts';
import { eraseRecipient as erase } from '../erasing/erase-recipient.ts';
import { idempotently } from '../idempotency.ts';
import { invalid } from '../validation.ts';

const Body = Type.Object(
  {
    to: Type.String({
      minLength: 1,
      maxLength: fieldLimits.toBytesMax,
      description: 'the recipient as it was sent to: a telephone number, an address, a URL',
    }),
    accountId: Type.Optional(
      Type.String({ description: 'whose messages; the account of the key. Another one needs `admin`' }),
    ),
  },
  { additionalProperties: false },
);

const ErasureAnswer = Type.Object({
  messages: Type.Integer({ description: 'messages erased by this call' }),
  answers: Type.Integer({ description: 'stored answers to idempotent writes that named the recipient' }),
  suppressed: Type.Boolean({
    description: 'the account suppresses the recipient: that goes on to hold, and no longer says who it is',
  }),
  complete: Type.Boolean({
    description:
      'false when the time was up before all was erased, or before what was on its way to a provider had ended: ' +
      'call again until it is true',
  }),
});

export function eraseRecipient(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/recipients/erase',
    {
      config: { scope: 'manage' },
      schema: {
        summary: 'Erase what is kept of one person',
        description:
          'Their messages keep id, state and times, and lose everything else, for good; what was not sent yet is ' +
          'canceled. What they are found by, what providers said of them, and stored answers that name them go too.',
        tags: ['messages'],
        body: Body,
        response: { 200: ErasureAnswer },
      },
    },
    async (request, reply) => {
      const { to, accountId: named } = request.body;
      const accountId = await accountOf(context, request.caller, named);
      checkRecipient(to);
      return idempotently(
        context,
        { request, reply },
        {
          body: Buffer.from(JSON.stringify(request.body)),
          async work({ renew }) {
            const { database } = context;
            const erasing = { accountId, to, renew: () => renew() };
            return { status: 200, body: await erase({ database, clock: systemClock }, erasing) };
          },
        },
      );
    },
  );
}

async function accountOf(
  { control }: ApiContext,
  caller: Caller,
  named: string | undefined,
): Promise<number> {
  if (named === undefined || named === String(caller.accountId)) return caller.accountId;
  if (!allows(caller.scopes, 'admin')) {
    throw new ProblemError('forbidden', 'erasing for another account needs a key with the scope "admin"');
  }
  // A deleted account's messages are still kept.
  const account = await namedAccount(control, named);
  if (account) return account.id;
  const detail = 'there is no such account';
  throw invalid('body', [{ pointer: '/accountId', code: 'unknown_account', detail }]);
}

/** A recipient that no route takes was never sent to; most likely it was mistyped. */
function checkRecipient(to: string): void {
  const bytes = Buffer.from(to);
  const takes = (channel: 'webhook' | undefined) => !recipientProblem(bytes, 0, bytes.length, channel);
  // The name of a webhook is no person's.
  if (takes(undefined) || (to.includes('://') && takes('webhook'))) return;
  const detail = 'must be a telephone number such as +31612345678, an e-mail address, or a URL';
  throw invalid('body', [{ pointer: '/to', code: 'invalid_recipient', detail }]);
}
