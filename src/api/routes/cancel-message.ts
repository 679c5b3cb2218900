import { Type } from 'typebox';
import type { ApiContext, ApiInstance } from '../context.ts';
import { decideMessage, openStates } from '../deciding/decide-message.ts';
import { MessageWithTimeline } from './message-fields.ts';

export function cancelMessage(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/messages/:id/cancel',
    {
      config: { scope: 'manage', errors: ['not_found', 'conflict'] },
      schema: {
        summary: 'Cancel a message that is not sent yet',
        description:
          'One that is on its way right now is canceled unless this attempt ends it: its state in the answer is then `sending`, `queued` or `retrying`.',
        tags: ['messages'],
        params: Type.Object({ id: Type.String() }),
        response: { 200: MessageWithTimeline },
      },
    },
    (request, reply) =>
      decideMessage(
        context,
        { request, reply },
        {
          kind: 'cancel',
          filter: {},
          settled: ['canceled'],
          possible: openStates,
          refusal: (state) => `The message is ${state}: it cannot be canceled any more.`,
        },
      ),
  );
}
