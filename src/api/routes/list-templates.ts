import { Type } from 'typebox';
import { listTemplates as readTemplates } from '../../store/control/templates.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { badCursor, Page, pageLimit, pageOf, pageQuery } from '../page.ts';
import { parseAccountId } from './account-fields.ts';
import { TemplateAnswer, templateAnswer } from './template-fields.ts';

export function listTemplates(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/templates',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'The templates of the account, by id, each in its newest version',
        tags: ['templates'],
        querystring: Type.Object(pageQuery, { additionalProperties: false }),
        response: { 200: Page(TemplateAnswer) },
      },
    },
    async ({ query, caller }) => {
      const { accountId } = caller;
      const limit = pageLimit(query);
      const after = query.after === undefined ? 0 : parseAccountId(query.after);
      if (after === null) throw badCursor();
      const templates = await readTemplates(context.database, { accountId, after, limit: limit + 1 });
      return pageOf(templates, { limit, cursor: ({ id }) => String(id), show: templateAnswer });
    },
  );
}
