import { Type } from 'typebox';
import type { ApiContext, ApiInstance } from '../context.ts';
import { decideMessage, replayableStates } from '../deciding/decide-message.ts';
import { MessageWithTimeline } from './message-fields.ts';

export function replayMessage(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/messages/:id/replay',
    {
      config: { scope: 'manage', sends: true, errors: ['not_found', 'conflict'] },
      schema: {
        summary: 'Try a message again that ended badly',
        description:
          'The id stays. Towards the provider an uncertain message keeps its key, any other gets `<id>.<n>`.',
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
          kind: 'replay',
          filter: { states: [...replayableStates] },
          settled: [],
          possible: replayableStates,
          refusal: (state) =>
            `The message is ${state}: only ${replayableStates.join(', ')} messages can be replayed.`,
        },
      ),
  );
}
