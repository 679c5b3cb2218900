import { Type } from 'typebox';
import { findWebhook } from '../../store/control/webhooks.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { isUuid } from '../is-uuid.ts';
import { noSuchWebhook, WebhookAnswer, webhookAnswer } from './webhook-fields.ts';

export function showWebhook(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/webhooks/:id',
    {
      config: { scope: 'manage', errors: ['not_found'] },
      schema: {
        summary: 'One webhook, and whether it is called',
        tags: ['webhooks'],
        params: Type.Object({ id: Type.String() }),
        response: { 200: WebhookAnswer },
      },
    },
    async ({ params: { id }, caller: { accountId } }) => {
      const { database, secrets } = context;
      const webhook = isUuid(id) ? await findWebhook(database, { accountId, id, secrets }) : null;
      if (!webhook) throw noSuchWebhook();
      return webhookAnswer(webhook);
    },
  );
}
