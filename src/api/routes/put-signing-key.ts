import { Type } from 'typebox';
import { makeSigningKey, signingKeyPattern } from '../../message/signing-key.ts';
import { putSigningKey as storeSigningKey } from '../../store/control/signing-keys.ts';
import { feedCursor } from '../../store/reading/feed-cursor.ts';
import { feedHorizon } from '../../store/reading/read-events.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { controlWrite } from '../control-write.ts';
import { SigningKeyAnswer, signingKeyAnswer } from './signing-key-fields.ts';

const Body = Type.Union([
  Type.Object(
    {
      key: Type.Optional(
        Type.String({
          pattern: signingKeyPattern,
          'x-detail': 'must be 16 to 128 characters of ASCII without spaces',
          description: 'the one that receivers have already; 16 to 128 characters of ASCII without spaces',
        }),
      ),
    },
    { additionalProperties: false },
  ),
  Type.Null(),
]);

export function putSigningKey(app: ApiInstance, context: ApiContext): void {
  app.put(
    '/v1/signing-key',
    {
      config: { scope: 'manage' },
      schema: {
        summary: 'Set what the status reports of the account are signed with',
        description:
          "Of messages of MessageBird's classic API with a `reportUrl`. Without `key` a new one is made. Reports are signed with it from " +
          'now on, also those that are sent again.',
        tags: ['webhooks'],
        body: Body,
        response: {
          200: Type.Object({
            ...SigningKeyAnswer.properties,
            key: Type.Optional(
              Type.String({
                description: 'Shown this once: an answer that is replayed for its Idempotency-Key has none',
              }),
            ),
          }),
        },
      },
    },
    (request, reply) => {
      const { accountId } = request.caller;
      const key = request.body?.key ?? makeSigningKey();
      return controlWrite(
        context,
        { request, reply },
        {
          async change(transaction) {
            const begins = feedCursor(await feedHorizon(transaction));
            const { secrets } = context;
            const kept = signingKeyAnswer(
              await storeSigningKey(transaction, { accountId, key, begins, secrets }),
            );
            return { status: 200, body: { ...kept, key }, kept };
          },
        },
      );
    },
  );
}
