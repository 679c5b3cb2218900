import { Type } from 'typebox';
import { allows } from '../../message/api-key.ts';
import { findRoute } from '../../store/control/routes.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { publicOrigin } from '../public-origin.ts';
import { noSuchRoute, RouteAnswer, routeAnswer } from './route-fields.ts';

export function showRoute(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/routes/:name',
    {
      config: { scope: 'read', errors: ['not_found'] },
      schema: {
        summary: 'One route',
        description: 'Only administrators see more than its name, connector and channel.',
        tags: ['routes'],
        params: Type.Object({ name: Type.String() }),
        response: { 200: RouteAnswer },
      },
    },
    async (request) => {
      const { params, caller } = request;
      const complete = allows(caller.scopes, 'admin');
      const route = await findRoute(context.database, {
        name: params.name,
        usableBy: complete ? undefined : caller.accountId,
        secrets: context.secrets,
      });
      if (!route) throw noSuchRoute();
      return routeAnswer(route, { complete, origin: publicOrigin(context, request) });
    },
  );
}
