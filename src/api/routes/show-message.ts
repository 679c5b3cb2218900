import { Type } from 'typebox';
import type { ApiContext, ApiInstance } from '../context.ts';
import { readingContext } from '../read-target.ts';
import { readMessage, withWaits } from '../reading/read-message.ts';
import { MessageWithTimeline } from './message-fields.ts';

export function showMessage(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/messages/:id',
    {
      config: { scope: 'read', errors: ['not_found'] },
      schema: {
        summary: 'One message and what became of it',
        tags: ['messages'],
        params: Type.Object({ id: Type.String() }),
        response: { 200: MessageWithTimeline },
      },
    },
    async (request) =>
      app.sharedReads.run(request, async () => {
        const { accountId } = request.caller;
        const reading = await readingContext(context, request);
        const found = await readMessage(reading, { accountId, id: request.params.id });
        return await withWaits(found, { ...reading, accountId });
      }),
  );
}
