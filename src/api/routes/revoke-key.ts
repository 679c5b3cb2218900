import { Type } from 'typebox';
import { revokeKey as markRevoked } from '../../store/control/keys.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { controlWrite } from '../control-write.ts';
import { isUuid } from '../is-uuid.ts';
import { KeyAnswer, keepAnAdministrator, keyAnswer, noSuchKey } from './key-fields.ts';

export function revokeKey(app: ApiInstance, context: ApiContext): void {
  app.delete(
    '/v1/keys/:id',
    {
      config: { scope: 'admin', errors: ['not_found', 'conflict'] },
      schema: {
        summary: 'Revoke a key',
        description: 'It stops working here at once, on every other server within a second.',
        tags: ['keys'],
        params: Type.Object({ id: Type.String() }),
        response: { 200: KeyAnswer },
      },
    },
    (request, reply) => {
      const { id } = request.params;
      if (!isUuid(id)) throw noSuchKey();
      return controlWrite(
        context,
        { request, reply },
        {
          async change(transaction) {
            const key = await markRevoked(transaction, id);
            if (!key) throw noSuchKey();
            await keepAnAdministrator(transaction);
            return { status: 200, body: keyAnswer(key) };
          },
        },
      );
    },
  );
}
