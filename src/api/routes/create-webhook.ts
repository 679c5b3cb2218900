import { Type } from 'typebox';
import { uuidV7 } from '../../lib/uuid-v7.ts';
import { ProblemError } from '../../message/error-codes.ts';
import { eventTypesDefault } from '../../message/webhook.ts';
import { countWebhooks, insertWebhook } from '../../store/control/webhooks.ts';
import { feedCursor } from '../../store/reading/feed-cursor.ts';
import { feedHorizon } from '../../store/reading/read-events.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { controlWrite } from '../control-write.ts';
import { ensureCallbackRoute } from './callback-route.ts';
import {
  checkWebhook,
  NewWebhookAnswer,
  newSecret,
  webhookAnswer,
  webhookFields,
  webhookNameTaken,
  webhooksMax,
} from './webhook-fields.ts';

export function createWebhook(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/webhooks',
    {
      config: { scope: 'manage', errors: ['conflict'] },
      schema: {
        summary: 'Register an endpoint that is told of messages and batches',
        description:
          'Events from now on are posted to it as `{type, id, timestamp, data}`, signed by the Standard Webhooks ' +
          'specification, and retried for a day. `id` is the same whenever an event is told; `data.sequence` rises with each ' +
          'event of a message. Requests are messages themselves: `GET /v1/messages?to=NAME` lists them, and those that failed can be replayed.',
        tags: ['webhooks'],
        body: Type.Object(webhookFields, { additionalProperties: false }),
        response: { 201: NewWebhookAnswer },
      },
    },
    (request, reply) => {
      const { accountId } = request.caller;
      const { name, url, events = eventTypesDefault, filter = {}, batchMax = 1 } = request.body;
      checkWebhook(context, { url, filter });
      return controlWrite(
        context,
        { request, reply },
        {
          reserveIds: () => [uuidV7(Date.now())],
          async change(transaction, { ids }) {
            const id = ids[0]!;
            const { named, live } = await countWebhooks(transaction, { accountId, name });
            if (named !== null && named !== id) throw webhookNameTaken(name);
            if (named === null && live >= webhooksMax) {
              throw new ProblemError('conflict', `an account has ${webhooksMax} webhooks at most`);
            }
            await ensureCallbackRoute(transaction, context);
            const secret = newSecret(Date.now());
            const begins = feedCursor(await feedHorizon(transaction));
            const webhook = await insertWebhook(transaction, {
              webhook: { id, accountId, name, url, secrets: [secret], events, filter, batchMax, begins },
              secrets: context.secrets,
            });
            const kept = webhookAnswer(webhook);
            return { status: 201, body: { ...kept, secret: secret.secret }, kept };
          },
        },
      );
    },
  );
}
