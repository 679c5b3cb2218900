import { defaultCountry } from '../../../intake/default-country.ts';
import type { ApiContext, ApiInstance } from '../../context.ts';
import { type ClassicMessage, parseClassicMessage } from './classic-message.ts';
import { classicRoute } from './classic-route.ts';
import { originOf, type SeenMessage, showClassic } from './classic-view.ts';
import { readFields } from './read-fields.ts';
import { storeClassicMessages } from './store-messages.ts';

/** 50 recipients and a text of nine SMS have some kilobytes. */
const bodyBytesMax = 65_536;

/** Sends one text to up to 50 recipients; answers when it is durable. */
export function createMessage(app: ApiInstance, context: ApiContext): void {
  app.post('/messages', classicRoute('send'), async (request, reply) => {
    const { accountId, test } = request.caller;
    const country = defaultCountry(context.control, accountId);
    const message = parseClassicMessage(await readFields(request, bodyBytesMax), country);
    const [chunkId] = await storeClassicMessages(context, {
      ...{ accountId, test },
      messages: [message],
    });
    return reply
      .code(201)
      .send(showClassic(newMessage(chunkId!, message), { origin: originOf(request), nowMs: Date.now() }));
  });
}

/** As it is when nothing has happened to it yet. */
export function newMessage(chunkId: string, message: ClassicMessage): SeenMessage {
  const recipients = message.recipients.map((to) => ({ to, state: 'queued' as const, at: null }));
  return { ...message, chunkId, recipients };
}
