import { Type } from 'typebox';
import { listAccounts as readAccounts } from '../../store/control/accounts.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { badCursor, Page, pageLimit, pageOf, pageQuery } from '../page.ts';
import { AccountAnswer, accountAnswer, parseAccountId } from './account-fields.ts';

export function listAccounts(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/accounts',
    {
      config: { scope: 'admin' },
      schema: {
        summary: 'The accounts, by id',
        tags: ['accounts'],
        querystring: Type.Object(pageQuery, { additionalProperties: false }),
        response: { 200: Page(AccountAnswer) },
      },
    },
    async ({ query }) => {
      const limit = pageLimit(query);
      const after = query.after === undefined ? 0 : parseAccountId(query.after);
      if (after === null) throw badCursor();
      const accounts = await readAccounts(context.database, { after, limit: limit + 1 });
      return pageOf(accounts, { limit, cursor: ({ id }) => String(id), show: accountAnswer });
    },
  );
}
