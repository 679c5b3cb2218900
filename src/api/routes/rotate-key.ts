import { Type } from 'typebox';
import { uuidV7 } from '../../lib/uuid-v7.ts';
import type { ApiKey } from '../../message/api-key.ts';
import { ProblemError } from '../../message/error-codes.ts';
import { endKeyAt, findKey, insertKey } from '../../store/control/keys.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { controlWrite } from '../control-write.ts';
import { isUuid } from '../is-uuid.ts';
import { hashKey, hintOf, makeKey } from '../keys.ts';
import { keyAnswer, NewKeyAnswer, noSuchKey } from './key-fields.ts';

const overlapMaxMs = 7 * 86_400_000;

const Body = Type.Union([
  Type.Object(
    {
      overlapMs: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: overlapMaxMs,
          default: 0,
          description: 'how long the old key still works',
        }),
      ),
    },
    { additionalProperties: false },
  ),
  Type.Null(),
]);

export function rotateKey(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/keys/:id/rotate',
    {
      config: { scope: 'admin', errors: ['not_found', 'conflict'] },
      schema: {
        summary: 'Replace a key',
        description:
          'Makes a key with the same account, scopes and expiry, a test key of a test key, and ends the old one.',
        tags: ['keys'],
        params: Type.Object({ id: Type.String() }),
        body: Body,
        response: { 201: NewKeyAnswer },
      },
    },
    (request, reply) => {
      const { id } = request.params;
      if (!isUuid(id)) throw noSuchKey();
      const overlapMs = request.body?.overlapMs ?? 0;
      return controlWrite(
        context,
        { request, reply },
        {
          reserveIds: () => [uuidV7(Date.now())],
          async change(transaction, { ids, again }) {
            const old = await findKey(transaction, id);
            if (!old) throw noSuchKey();
            const earlier = again ? await findKey(transaction, ids[0]!) : null;
            if (!earlier && hasEnded(old)) throw new ProblemError('conflict', 'the key has ended already');
            const secret = makeKey(old);
            const { expiresAt } = earlier ?? old;
            const key = await insertKey(transaction, {
              id: ids[0]!,
              accountId: old.accountId,
              scopes: old.scopes,
              test: old.test,
              ...(expiresAt && { expiresAt }),
              hash: hashKey(secret),
              hint: hintOf(secret),
            });
            if (!earlier) await endKeyAt(transaction, id, new Date(Date.now() + overlapMs));
            const kept = keyAnswer(key);
            return { status: 201, body: { ...kept, key: secret }, kept };
          },
        },
      );
    },
  );
}

function hasEnded({ revokedAt, expiresAt }: ApiKey): boolean {
  return revokedAt !== undefined || (expiresAt !== undefined && expiresAt.getTime() <= Date.now());
}
