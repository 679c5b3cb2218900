import { Type } from 'typebox';
import { listWebhooks as readWebhooks } from '../../store/control/webhooks.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { isUuid } from '../is-uuid.ts';
import { badCursor, Page, pageLimit, pageOf, pageQuery } from '../page.ts';
import { WebhookAnswer, webhookAnswer } from './webhook-fields.ts';

const lowestId = '00000000-0000-0000-0000-000000000000';

export function listWebhooks(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/webhooks',
    {
      config: { scope: 'manage' },
      schema: {
        summary: 'The webhooks of the account, oldest first, without their secrets',
        tags: ['webhooks'],
        querystring: Type.Object(pageQuery, { additionalProperties: false }),
        response: { 200: Page(WebhookAnswer) },
      },
    },
    async ({ query, caller }) => {
      const limit = pageLimit(query);
      const after = query.after ?? lowestId;
      if (!isUuid(after)) throw badCursor();
      const { accountId } = caller;
      const { database, secrets } = context;
      const webhooks = await readWebhooks(database, { accountId, after, limit: limit + 1, secrets });
      return pageOf(webhooks, { limit, cursor: ({ id }) => id, show: webhookAnswer });
    },
  );
}
