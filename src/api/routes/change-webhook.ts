import { Type } from 'typebox';
import { countWebhooks, findWebhook, updateWebhook } from '../../store/control/webhooks.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { controlWrite } from '../control-write.ts';
import { isUuid } from '../is-uuid.ts';
import {
  checkWebhook,
  noSuchWebhook,
  WebhookAnswer,
  webhookAnswer,
  webhookFields,
  webhookNameTaken,
} from './webhook-fields.ts';

const Body = Type.Partial(
  Type.Object({
    ...webhookFields,
    enabled: Type.Boolean({
      description:
        'false: it is told of nothing any more, and what waits for it fails; true calls one again that was disabled: what happened meanwhile is in the change feed',
    }),
  }),
  { additionalProperties: false },
);

export function changeWebhook(app: ApiInstance, context: ApiContext): void {
  app.patch(
    '/v1/webhooks/:id',
    {
      config: { scope: 'manage', errors: ['not_found', 'conflict'] },
      schema: {
        summary: 'Change a webhook',
        description:
          'Fields left out stay as they are; `events` and `filter` are replaced as a whole. What waits for the endpoint goes to its new URL, also ' +
          'where it is addressed by the name that it had.',
        tags: ['webhooks'],
        params: Type.Object({ id: Type.String() }),
        body: Body,
        response: { 200: WebhookAnswer },
      },
    },
    (request, reply) => {
      const { id } = request.params;
      if (!isUuid(id)) throw noSuchWebhook();
      const { accountId } = request.caller;
      const { enabled, ...changes } = request.body;
      checkWebhook(context, changes);
      return controlWrite(
        context,
        { request, reply },
        {
          async change(transaction) {
            const { secrets } = context;
            const present = await findWebhook(transaction, { accountId, id, secrets });
            if (!present) throw noSuchWebhook();
            const fields = { ...present, ...changes };
            const { named } = await countWebhooks(transaction, { accountId, name: fields.name });
            if (named !== null && named !== id) throw webhookNameTaken(fields.name);
            const webhook = await updateWebhook(transaction, { webhook: fields, enabled, secrets });
            if (!webhook) throw noSuchWebhook();
            return { status: 200, body: webhookAnswer(webhook) };
          },
        },
      );
    },
  );
}
