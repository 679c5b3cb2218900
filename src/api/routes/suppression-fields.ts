import { Type } from 'typebox';
import { defaultCountry } from '../../intake/default-country.ts';
import { ProblemError } from '../../message/error-codes.ts';
import { fieldLimits } from '../../message/field-limits.ts';
import {
  type Suppression,
  suppressionChannels,
  suppressionHash,
  suppressionLimits,
} from '../../message/suppression.ts';
import type { ApiContext } from '../context.ts';
import { isUuid } from '../is-uuid.ts';
import { keptForm } from '../kept-form.ts';

export const Channel = Type.Enum([...suppressionChannels], {
  description: 'a webhook is no recipient of a list: disable the endpoint instead',
});

const reason = Type.String({
  maxLength: suppressionLimits.reasonCharsMax,
  description: 'for people, such as "unsubscribed on the website"',
});
const ref = Type.String({ maxLength: fieldLimits.refCharsMax, description: 'your own reference' });

export const SuppressionEntry = Type.Object(
  {
    to: Type.String({
      minLength: 1,
      maxLength: fieldLimits.toBytesMax,
      description: 'a telephone number such as +31612345678 for `sms`, an address for `email`',
    }),
    channel: Channel,
    reason: Type.Optional(reason),
    ref: Type.Optional(ref),
  },
  { additionalProperties: false },
);

export const SuppressionChange = Type.Object(
  {
    reason: Type.Optional(Type.Union([reason, Type.Null()])),
    ref: Type.Optional(Type.Union([ref, Type.Null()])),
  },
  { additionalProperties: false },
);

export const SuppressionAnswer = Type.Object({
  id: Type.String(),
  channel: Type.String(),
  to: Type.Union([Type.String(), Type.Null()], {
    description:
      'as it is compared: addresses in lower case; null once the person was erased, and it holds on',
  }),
  reason: Type.Union([Type.String(), Type.Null()]),
  ref: Type.Union([Type.String(), Type.Null()]),
  createdAt: Type.String({ format: 'date-time' }),
});

/** Where a suppression is named in a path. */
export const SuppressionName = Type.Object({
  id: Type.String({ description: 'the id, or the number or address itself' }),
});

export function suppressionAnswer({ hash, channel, to, reason, ref, createdAt }: Suppression) {
  return { id: hash, channel, to, reason, ref, createdAt: createdAt.toISOString() };
}

/**
 * What the suppression of a path is found by.
 * @throws ProblemError `not_found`
 */
export function hashOf(
  { control }: ApiContext,
  { accountId, place }: { accountId: number; place: string },
): string {
  const id = place.toLowerCase();
  const hash = isUuid(id)
    ? id
    : suppressionHash(accountId, keptForm(place, defaultCountry(control, accountId)));
  if (hash === undefined) throw noSuppression();
  return hash;
}

export function noSuppression(): ProblemError {
  return new ProblemError('not_found', 'the recipient is not suppressed');
}
