import type { FastifyReply, FastifyRequest } from 'fastify';
import { switchRoute as store } from '../../store/control/routes.ts';
import type { ApiContext } from '../context.ts';
import { controlWrite } from '../control-write.ts';
import { publicOrigin } from '../public-origin.ts';
import { noSuchRoute, routeAnswer } from './route-fields.ts';

/** Pauses or resumes a route. Workers see it with the next look at the control version: within half a second. */
export function switchRoute(
  context: ApiContext,
  at: { request: FastifyRequest; reply: FastifyReply },
  change: { name: string; paused: boolean },
): Promise<void> {
  return controlWrite(context, at, {
    secretAnswer: true,
    async change(transaction) {
      const route = await store(transaction, { ...change, secrets: context.secrets });
      if (!route) throw noSuchRoute();
      return {
        status: 200,
        body: routeAnswer(route, { complete: true, origin: publicOrigin(context, at.request) }),
      };
    },
  });
}
