import { Type } from 'typebox';
import { listKeys as readKeys } from '../../store/control/keys.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { isUuid } from '../is-uuid.ts';
import { badCursor, Page, pageLimit, pageOf, pageQuery } from '../page.ts';
import { parseAccountId } from './account-fields.ts';
import { KeyAnswer, keyAnswer } from './key-fields.ts';

const lowestId = '00000000-0000-0000-0000-000000000000';

export function listKeys(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/keys',
    {
      config: { scope: 'admin' },
      schema: {
        summary: 'The keys, oldest first, without the keys themselves',
        tags: ['keys'],
        querystring: Type.Object(
          { accountId: Type.Optional(Type.String({ description: 'only of this account' })), ...pageQuery },
          { additionalProperties: false },
        ),
        response: { 200: Page(KeyAnswer) },
      },
    },
    async ({ query }) => {
      const limit = pageLimit(query);
      const after = query.after ?? lowestId;
      if (!isUuid(after)) throw badCursor();
      const accountId = query.accountId === undefined ? undefined : parseAccountId(query.accountId);
      if (accountId === null) return { data: [], next: null };
      const keys = await readKeys(context.database, {
        after,
        limit: limit + 1,
        ...(accountId !== undefined && { accountId }),
      });
      return pageOf(keys, { limit, cursor: ({ id }) => id, show: keyAnswer });
    },
  );
}
