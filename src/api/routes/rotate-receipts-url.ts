import { Type } from 'typebox';
import { makeReceiptsToken } from '../../store/control/receipts-token.ts';
import { setReceiptsToken } from '../../store/control/routes.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { controlWrite } from '../control-write.ts';
import { publicOrigin } from '../public-origin.ts';
import { noSuchRoute, RouteAnswer, routeAnswer } from './route-fields.ts';

export function rotateReceiptsUrl(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/routes/:name/rotate-receipts-url',
    {
      config: { scope: 'admin', errors: ['not_found'] },
      schema: {
        summary: 'Give a route another URL for receipts',
        description:
          'For a URL that became known, or a route that has none. Every server takes the new one, and no longer the old ' +
          'one, within a second: tell the provider.',
        tags: ['routes'],
        params: Type.Object({ name: Type.String() }),
        response: { 200: RouteAnswer },
      },
    },
    (request, reply) =>
      controlWrite(
        context,
        { request, reply },
        {
          secretAnswer: true,
          async change(transaction) {
            const { secrets } = context;
            const { name } = request.params;
            const route = await setReceiptsToken(transaction, { name, token: makeReceiptsToken(), secrets });
            if (!route) throw noSuchRoute();
            const origin = publicOrigin(context, request);
            return { status: 200, body: routeAnswer(route, { complete: true, origin }) };
          },
        },
      ),
  );
}
