import { type Static, Type } from 'typebox';
import type { ErrorItem } from '../../message/error-codes.ts';
import type { Channel } from '../../message/fields.ts';
import {
  isByRecipient,
  notAClock,
  sendWindowProblem,
  timeZoneCharsMax,
  weekdays,
} from '../../message/send-window/send-window.ts';

const clock = { pattern: '^([01]\\d|2[0-3]):[0-5]\\d$|^24:00$', 'x-detail': notAClock };

export const SendWindowFields = Type.Object(
  {
    days: Type.Array(Type.Enum([...weekdays]), {
      minItems: 1,
      maxItems: weekdays.length,
      description: 'those on which it opens',
    }),
    from: Type.String({ ...clock, description: 'such as 09:00' }),
    to: Type.String({
      ...clock,
      description: 'such as 20:00, or 24:00 for the end of the day; before `from`: on the day after',
    }),
    timeZone: Type.String({
      minLength: 1,
      maxLength: timeZoneCharsMax,
      description:
        'by its name, such as Europe/Amsterdam, or `recipient`: that of the country of each number, and where a country has ' +
        'several, the window must be open in all of them (docs/send-windows.md)',
    }),
  },
  {
    additionalProperties: false,
    description:
      'Outside of it nothing is sent: messages wait, retries too. The windows of a batch and of its route must both be open.',
  },
);

/** Faults of a window for messages of this channel. */
export function sendWindowErrors(
  window: Static<typeof SendWindowFields> | undefined,
  channel: Channel | undefined,
): ErrorItem[] {
  if (window === undefined) return [];
  const problem = sendWindowProblem(window);
  if (problem)
    return [{ pointer: `/sendWindow/${problem.field}`, code: 'invalid_value', detail: problem.detail }];
  if (!isByRecipient(window) || channel === 'sms') return [];
  const why =
    channel === undefined
      ? 'the route takes addresses as well, which tell of no time zone: give it the channel sms, or name a time zone such as Europe/Amsterdam'
      : `recipients on the channel ${channel} tell of no time zone: name one, such as Europe/Amsterdam`;
  return [{ pointer: '/sendWindow/timeZone', code: 'wrong_channel', detail: why }];
}
