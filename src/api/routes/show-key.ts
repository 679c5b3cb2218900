import { Type } from 'typebox';
import { findKey } from '../../store/control/keys.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { isUuid } from '../is-uuid.ts';
import { KeyAnswer, keyAnswer, noSuchKey } from './key-fields.ts';

export function showKey(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/keys/:id',
    {
      config: { scope: 'admin', errors: ['not_found'] },
      schema: {
        summary: 'One key, without the key itself',
        tags: ['keys'],
        params: Type.Object({ id: Type.String() }),
        response: { 200: KeyAnswer },
      },
    },
    async (request) => {
      const { id } = request.params;
      const key = isUuid(id) ? await findKey(context.database, id) : null;
      if (!key) throw noSuchKey();
      return keyAnswer(key);
    },
  );
}
