import { defaultCountry } from '../../../intake/default-country.ts';
import { limits } from '../../../message/limits.ts';
import type { PhoneCountry } from '../../../message/phone-number.ts';
import type { ApiContext, ApiInstance } from '../../context.ts';
import { parseClassicMessage } from './classic-message.ts';
import { classicRoute } from './classic-route.ts';
import { originOf, showClassic } from './classic-view.ts';
import { newMessage } from './create-message.ts';
import { type Fields, invalidField, readFields } from './read-fields.ts';
import { ClassicRefusal, classicCode } from './send-errors.ts';
import { storeClassicMessages } from './store-messages.ts';

const bodyBytesMax = 4_194_304;
/** Of all its messages together. */
const recipientsMax = 10_000;

/** Several messages in one request: all of them are stored, or none. */
export function createMessageBatch(app: ApiInstance, context: ApiContext): void {
  app.post('/messages/batches', classicRoute('send'), async (request, reply) => {
    const { accountId, test } = request.caller;
    const country = defaultCountry(context.control, accountId);
    const messages = parseBatch(await readFields(request, bodyBytesMax), country);
    const chunkIds = await storeClassicMessages(context, { accountId, test, messages });
    const show = { origin: originOf(request), nowMs: Date.now() };
    return reply
      .code(201)
      .send({ messages: messages.map((message, n) => showClassic(newMessage(chunkIds[n]!, message), show)) });
  });
}

function parseBatch({ messages, ...others }: Fields, country: PhoneCountry | undefined) {
  const [other] = Object.keys(others);
  if (other !== undefined) throw invalidField(other.slice(0, 40), 'is no field of a batch');
  if (!Array.isArray(messages) || messages.length === 0) {
    const description = 'messages is required: a list of messages';
    throw new ClassicRefusal(422, [{ code: classicCode.missing, description, parameter: 'messages' }]);
  }
  if (messages.length > limits.chunkMessagesMax) {
    throw invalidField('messages', `may hold ${limits.chunkMessagesMax} messages`);
  }
  const parsed = messages.map((fields: unknown, index) => parseOne(fields, { index, country }));
  if (parsed.reduce((sum, { recipients }) => sum + recipients.length, 0) > recipientsMax) {
    throw invalidField('messages', `may have ${recipientsMax} recipients together`);
  }
  return parsed;
}

function parseOne(fields: unknown, { index, country }: { index: number; country: PhoneCountry | undefined }) {
  const place = `messages[${index}]`;
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw invalidField(place, 'must be an object');
  }
  try {
    return parseClassicMessage(fields as Fields, country);
  } catch (error) {
    if (!(error instanceof ClassicRefusal)) throw error;
    throw new ClassicRefusal(
      error.status,
      error.errors.map(({ parameter, ...rest }) => ({ ...rest, parameter: `${place}.${parameter}` })),
    );
  }
}
