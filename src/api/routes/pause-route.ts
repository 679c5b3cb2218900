import { Type } from 'typebox';
import type { ApiContext, ApiInstance } from '../context.ts';
import { RouteAnswer } from './route-fields.ts';
import { switchRoute } from './switch-route.ts';

export function pauseRoute(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/routes/:name/pause',
    {
      config: { scope: 'admin', errors: ['not_found'] },
      schema: {
        summary: 'Send nothing through a route for now',
        description:
          'Every worker obeys within a second; requests on their way end as they began. Messages are accepted and wait. ' +
          'Pausing again changes nothing.',
        tags: ['routes'],
        params: Type.Object({ name: Type.String() }),
        response: { 200: RouteAnswer },
      },
    },
    (request, reply) => switchRoute(context, { request, reply }, { name: request.params.name, paused: true }),
  );
}
