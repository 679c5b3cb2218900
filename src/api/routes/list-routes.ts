import { Type } from 'typebox';
import { allows } from '../../message/api-key.ts';
import { listRoutes as readRoutes } from '../../store/control/routes.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { Page, pageLimit, pageOf, pageQuery } from '../page.ts';
import { publicOrigin } from '../public-origin.ts';
import { RouteAnswer, routeAnswer } from './route-fields.ts';

export function listRoutes(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/routes',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'The routes, by name',
        description: 'Others than administrators see those that their account may use, without settings.',
        tags: ['routes'],
        querystring: Type.Object(pageQuery, { additionalProperties: false }),
        response: { 200: Page(RouteAnswer) },
      },
    },
    async (request) => {
      const { query, caller } = request;
      const origin = publicOrigin(context, request);
      const limit = pageLimit(query);
      const complete = allows(caller.scopes, 'admin');
      const routes = await readRoutes(context.database, {
        after: query.after ?? '',
        limit: limit + 1,
        secrets: context.secrets,
        ...(!complete && { usableBy: caller.accountId }),
      });
      return pageOf(routes, {
        limit,
        cursor: ({ name }) => name,
        show: (route) => routeAnswer(route, { complete, origin }),
      });
    },
  );
}
