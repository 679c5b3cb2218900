import { type MessageField, messageFields } from '../../intake/message-field.ts';
import { fieldLimits } from '../../message/field-limits.ts';

/** What `POST /v1/messages` takes, for the documentation, by the table that the scanner reads a message by. */
export function messagesSchema(): object {
  const known = messageFields.filter(({ kind }) => kind !== 'unavailable');
  const message = {
    type: 'object',
    required: ['to'],
    additionalProperties: false,
    properties: Object.fromEntries(known.map((field) => [field.name, schemaOf(field)])),
  };
  return { anyOf: [message, { type: 'array', minItems: 1, items: message }] };
}

function schemaOf({ kind, name, charsMax }: MessageField): object {
  const description = descriptions[name];
  const told = description === undefined ? {} : { description };
  const bounds = Number.isFinite(charsMax) ? { maxLength: charsMax } : {};
  switch (kind) {
    case 'any':
      return { description: 'any JSON value' };
    case 'object':
    case 'params':
      return { type: 'object', ...told };
    case 'headers':
      return {
        type: 'object',
        additionalProperties: { type: 'string' },
        maxProperties: fieldLimits.headersMax,
      };
    case 'tags':
      return {
        type: 'array',
        maxItems: fieldLimits.tagsMax,
        items: { type: 'string', maxLength: fieldLimits.tagCharsMax },
      };
    case 'priority':
      return { enum: ['interactive', 'bulk'], default: 'interactive' };
    case 'time':
      return { type: 'string', format: 'date-time', ...told };
    default:
      return { type: 'string', ...bounds, ...told };
  }
}

const descriptions: Partial<Record<string, string>> = {
  to: 'a telephone number, an address, or a URL, as the channel of the route has it; a number is kept as E.164',
  route: "the account's default route for the channel when absent",
  template: 'the name of a template, which says body, HTML and subject: they cannot be given beside it',
  params: 'what the template is filled in with',
  scheduledAt: 'nothing is sent before',
  expiresAt: 'what is not sent by then expires; a time that has passed is taken, and the message not sent',
  orderingKey: 'messages of the account that share it leave in the order of their acceptance',
};
