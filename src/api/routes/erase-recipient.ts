import { Type } from 'typebox';
import { defaultCountry } from '../../intake/default-country.ts';
import { systemClock } from '../../lib/clock.ts';
import { allows } from '../../message/api-key.ts';
import { ProblemError } from '../../message/error-codes.ts';
import { fieldLimits } from '../../message/field-limits.ts';
import { normaliseRecipient } from '../../message/normalise-recipient.ts';
import { isE164, type PhoneCountry } from '../../message/phone-number.ts';
import { isEmail, lookupRecipient } from '../../message/recipient.ts';
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
      description: 'the recipient: a telephone number or an address, also as people write it; or a URL',
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
      const forms = formsOf(to, defaultCountry(context.control, accountId));
      return idempotently(
        context,
        { request, reply },
        {
          body: Buffer.from(JSON.stringify(request.body)),
          async work({ renew }) {
            const all = { messages: 0, answers: 0, suppressed: false, complete: true };
            for (const form of forms) {
              const erasing = { accountId, to: form, renew: () => renew() };
              const erased = await erase({ database: context.database, clock: systemClock }, erasing);
              all.messages += erased.messages;
              all.answers += erased.answers;
              all.suppressed ||= erased.suppressed;
              all.complete &&= erased.complete;
            }
            return { status: 200, body: all };
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

/**
 * What the person is kept as: the form that is made of a recipient now; and what is given, as the library's tables, or an
 * earlier release, may have let it be.
 * @throws ProblemError for a recipient that no route takes: it was never sent to, and most likely it was mistyped
 */
function formsOf(given: string, country: PhoneCountry | undefined): string[] {
  const to = given.trim();
  // The name of a webhook is no person's.
  const normal = normaliseRecipient(to, to.includes('://') ? { channel: 'webhook' } : { country });
  const bytes = Buffer.from(to);
  if ('to' in normal) {
    const isAlike = Buffer.from(lookupRecipient(bytes)).toString() === normal.to;
    return isAlike || !isPlain(bytes) ? [normal.to] : [normal.to, to];
  }
  if (isPlain(bytes)) return [to];
  const detail = 'must be a telephone number such as +31612345678, an e-mail address, or a URL';
  throw invalid('body', [{ pointer: '/to', code: 'invalid_recipient', detail }]);
}

function isPlain(bytes: Uint8Array): boolean {
  return isE164(bytes, 0, bytes.length) || isEmail(bytes, 0, bytes.length);
}
