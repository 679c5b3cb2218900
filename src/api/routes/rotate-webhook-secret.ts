import { Type } from 'typebox';
import { findWebhook, updateWebhook } from '../../store/control/webhooks.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { controlWrite } from '../control-write.ts';
import { isUuid } from '../is-uuid.ts';
import { NewWebhookAnswer, newSecret, noSuchWebhook, webhookAnswer } from './webhook-fields.ts';

const dayMs = 86_400_000;
const overlapMaxMs = 7 * dayMs;
/** Each request is signed with all of them. */
const secretsMax = 5;

const Body = Type.Union([
  Type.Object(
    {
      overlapMs: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: overlapMaxMs,
          default: dayMs,
          description: 'how long requests are signed with the old secret as well',
        }),
      ),
    },
    { additionalProperties: false },
  ),
  Type.Null(),
]);

export function rotateWebhookSecret(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/webhooks/:id/rotate',
    {
      config: { scope: 'manage', errors: ['not_found'] },
      schema: {
        summary: 'Replace the secret of a webhook',
        tags: ['webhooks'],
        params: Type.Object({ id: Type.String() }),
        body: Body,
        response: { 201: NewWebhookAnswer },
      },
    },
    (request, reply) => {
      const { id } = request.params;
      if (!isUuid(id)) throw noSuchWebhook();
      const { accountId } = request.caller;
      const overlapMs = request.body?.overlapMs ?? dayMs;
      return controlWrite(
        context,
        { request, reply },
        {
          async change(transaction) {
            const { secrets } = context;
            const present = await findWebhook(transaction, { accountId, id, secrets });
            if (!present) throw noSuchWebhook();
            const nowMs = Date.now();
            const ends = new Date(nowMs + overlapMs).toISOString();
            const old = present.secrets
              .map((each) => ({ ...each, expiresAt: earlier(each.expiresAt, ends) }))
              .filter(({ expiresAt }) => Date.parse(expiresAt) > nowMs);
            const secret = newSecret(nowMs);
            const webhook = await updateWebhook(transaction, {
              webhook: { ...present, secrets: [secret, ...old].slice(0, secretsMax) },
              secrets,
            });
            const kept = webhookAnswer(webhook!);
            return { status: 201, body: { ...kept, secret: secret.secret }, kept };
          },
        },
      );
    },
  );
}

function earlier(one: string | undefined, other: string): string {
  return one !== undefined && Date.parse(one) < Date.parse(other) ? one : other;
}
