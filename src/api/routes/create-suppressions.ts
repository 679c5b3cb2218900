import { type Static, Type } from 'typebox';
import { defaultCountry } from '../../intake/default-country.ts';
import { type ErrorItem, ProblemError } from '../../message/error-codes.ts';
import { normaliseRecipient } from '../../message/normalise-recipient.ts';
import type { PhoneCountry } from '../../message/phone-number.ts';
import { suppressedForm, suppressionHash, suppressionLimits } from '../../message/suppression.ts';
import { insertSuppressions, type NewSuppression } from '../../store/control/suppressions.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { idempotently } from '../idempotency.ts';
import { awaitWorkers } from '../suppressing/await-workers.ts';
import { SuppressionEntry } from './suppression-fields.ts';

const { entriesMax } = suppressionLimits;

const Entries = Type.Array(SuppressionEntry, { minItems: 1, maxItems: entriesMax });

export function createSuppressions(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/suppressions',
    {
      config: { scope: 'manage', errors: ['validation_failed'] },
      schema: {
        summary: 'Suppress one recipient or many: they get nothing of the account on the channel',
        description:
          `One, or an array of up to ${entriesMax.toLocaleString('en')}. Who is suppressed already stays as it was. ` +
          'What is stored after the answer is not sent to them, nor what waits already; of what is being sent at the moment that holds within a second. ' +
          'The first one of a channel takes a moment longer, until all workers know the list.',
        tags: ['suppressions'],
        body: Type.Union([SuppressionEntry, Entries]),
        response: {
          201: Type.Object({
            added: Type.Integer({ description: 'how many of them are new' }),
            suppressions: Type.Array(
              Type.Object({ id: Type.String(), channel: Type.String(), to: Type.String() }),
            ),
            errors: Type.Array(
              Type.Object({ index: Type.Integer(), code: Type.String(), detail: Type.String() }),
              { description: 'elements that were left out' },
            ),
          }),
        },
      },
    },
    async (request, reply) => {
      const { accountId } = request.caller;
      const { entries, errors } = readEntries([request.body].flat(), {
        accountId,
        country: defaultCountry(context.control, accountId),
      });
      if (entries.length === 0) {
        const detail = `No recipient can be suppressed: ${errors[0]!.detail}`;
        throw new ProblemError('validation_failed', detail, { errors });
      }
      return idempotently(
        context,
        { request, reply },
        {
          body: Buffer.from(JSON.stringify(request.body)),
          async work() {
            const { database } = context;
            const channels = [...new Set(entries.map(({ channel }) => channel))];
            await awaitWorkers(database, { accountId, channels });
            const added = await database.transaction((transaction) =>
              insertSuppressions(transaction, { accountId, entries }),
            );
            const suppressions = entries.map(({ hash, channel, to }) => ({ id: hash, channel, to }));
            return { status: 201, body: { added, suppressions, errors } };
          },
        },
      );
    },
  );
}

/** Each one once, and what is wrong with the others. */
function readEntries(
  given: readonly Static<typeof SuppressionEntry>[],
  { accountId, country }: { accountId: number; country: PhoneCountry | undefined },
): { entries: NewSuppression[]; errors: ErrorItem[] } {
  const entries = new Map<string, NewSuppression>();
  const errors: ErrorItem[] = [];
  given.forEach(({ to: written, channel, reason = null, ref = null }, index) => {
    const normal = normaliseRecipient(written, { channel, country });
    if ('problem' in normal) {
      const detail = `${normal.problem} (channel ${channel})`;
      errors.push({ index, code: 'invalid_recipient', detail });
      return;
    }
    const { to } = normal;
    const hash = suppressionHash(accountId, to)!;
    if (!entries.has(hash)) entries.set(hash, { hash, channel, to: suppressedForm(to), reason, ref });
  });
  return { entries: [...entries.values()], errors };
}
