import { Type } from 'typebox';
import { deleteWebhook as markDeleted } from '../../store/control/webhooks.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { controlWrite } from '../control-write.ts';
import { isUuid } from '../is-uuid.ts';
import { noSuchWebhook } from './webhook-fields.ts';

export function deleteWebhook(app: ApiInstance, context: ApiContext): void {
  app.delete(
    '/v1/webhooks/:id',
    {
      config: { scope: 'manage', errors: ['not_found'] },
      schema: {
        summary: 'Delete a webhook',
        description: 'It is told of nothing more. What waits for it fails.',
        tags: ['webhooks'],
        params: Type.Object({ id: Type.String() }),
        response: { 200: Type.Object({ id: Type.String() }) },
      },
    },
    (request, reply) => {
      const { id } = request.params;
      if (!isUuid(id)) throw noSuchWebhook();
      const { accountId } = request.caller;
      return controlWrite(
        context,
        { request, reply },
        {
          async change(transaction, { again }) {
            const deleted = await markDeleted(transaction, { accountId, id });
            if (!deleted && !again) throw noSuchWebhook();
            return { status: 200, body: { id } };
          },
        },
      );
    },
  );
}
