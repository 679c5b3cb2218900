import { Type } from 'typebox';
import type { ApiContext, ApiInstance } from '../context.ts';
import { RouteAnswer } from './route-fields.ts';
import { switchRoute } from './switch-route.ts';

export function resumeRoute(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/routes/:name/resume',
    {
      config: { scope: 'admin', errors: ['not_found'] },
      schema: {
        summary: 'Send through a paused route again',
        description:
          'Every worker begins within a second. Resuming a route that is not paused changes nothing.',
        tags: ['routes'],
        params: Type.Object({ name: Type.String() }),
        response: { 200: RouteAnswer },
      },
    },
    (request, reply) =>
      switchRoute(context, { request, reply }, { name: request.params.name, paused: false }),
  );
}
