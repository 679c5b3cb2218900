import { Type } from 'typebox';
import { ProblemError } from '../../message/error-codes.ts';
import { callbackRouteName } from '../../message/webhook.ts';
import {
  accountsDefaultingTo,
  holdsMessages,
  deleteRoute as markDeleted,
} from '../../store/control/routes.ts';
import { hasLiveWebhooks } from '../../store/control/webhooks.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { controlWrite } from '../control-write.ts';
import { publicOrigin } from '../public-origin.ts';
import { noSuchRoute, RouteAnswer, routeAnswer } from './route-fields.ts';

export function deleteRoute(app: ApiInstance, context: ApiContext): void {
  app.delete(
    '/v1/routes/:name',
    {
      config: { scope: 'admin', errors: ['not_found', 'conflict'] },
      schema: {
        summary: 'Delete a route',
        description:
          'It takes no new messages, and still delivers those that it has. One that is a default route of an ' +
          'account cannot be deleted, nor one that is paused while messages wait for it, nor `callbacks` while there are webhooks.',
        tags: ['routes'],
        params: Type.Object({ name: Type.String() }),
        response: { 200: RouteAnswer },
      },
    },
    (request, reply) => {
      const { name } = request.params;
      return controlWrite(
        context,
        { request, reply },
        {
          secretAnswer: true,
          async change(transaction) {
            const users = await accountsDefaultingTo(transaction, name);
            if (users.length > 0) {
              throw new ProblemError('conflict', `it is a default route of: ${users.join(', ')}`);
            }
            if (name === callbackRouteName && (await hasLiveWebhooks(transaction)))
              throw new ProblemError(
                'conflict',
                'webhooks are told through it: delete them first, or pause it',
              );
            const route = await markDeleted(transaction, { name, secrets: context.secrets });
            if (!route) throw noSuchRoute();
            if (route.paused && (await holdsMessages(transaction, route.id)))
              throw new ProblemError(
                'conflict',
                'it is paused, and messages wait for it that could not be let go any more: resume it first, or cancel them',
              );
            return {
              status: 200,
              body: routeAnswer(route, { complete: true, origin: publicOrigin(context, request) }),
            };
          },
        },
      );
    },
  );
}
