import { Type } from 'typebox';
import type { ApiContext, ApiInstance } from '../context.ts';
import { decideMessage } from '../deciding/decide-message.ts';
import { Resolution, resolutionFilter } from '../deciding/resolution.ts';
import { MessageWithTimeline } from './message-fields.ts';

/** Settles one uncertain message, by what the operator has found out about it. */
export function resolveMessage(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/messages/:id/resolve',
    {
      config: { scope: 'manage', errors: ['not_found', 'conflict'] },
      schema: {
        summary: 'Settle an uncertain message',
        description: 'Nothing is sent. `GET /v1/messages?state=uncertain` lists those that were sent singly.',
        tags: ['messages'],
        params: Type.Object({ id: Type.String() }),
        body: Resolution,
        response: { 200: MessageWithTimeline },
      },
    },
    (request, reply) =>
      decideMessage(
        context,
        { request, reply },
        {
          kind: 'resolve',
          filter: resolutionFilter(request.body),
          settled: [],
          possible: ['uncertain'],
          refusal: (state) => `The message is ${state}: only uncertain messages can be settled.`,
        },
      ),
  );
}
