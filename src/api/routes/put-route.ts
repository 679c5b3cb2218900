import { Type } from 'typebox';
import { findAccount } from '../../store/control/accounts.ts';
import { makeReceiptsToken } from '../../store/control/receipts-token.ts';
import { putRoute as storeRoute } from '../../store/control/routes.ts';
import type { Queryable } from '../../store/database.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { controlWrite } from '../control-write.ts';
import { publicOrigin } from '../public-origin.ts';
import { invalid } from '../validation.ts';
import {
  RouteAnswer,
  RouteBody,
  readRoute,
  routeAnswer,
  routeNamePattern,
  unknownAccount,
} from './route-fields.ts';

export function putRoute(app: ApiInstance, context: ApiContext): void {
  app.put(
    '/v1/routes/:name',
    {
      config: {
        scope: 'admin',
        errors: ['not_available'],
        bodies: { 'application/json': describedRoute(context) },
      },
      schema: {
        summary: 'Make a route, or replace it as a whole',
        description: 'Messages that wait for the route are sent by its new settings.',
        tags: ['routes'],
        params: Type.Object({
          name: Type.String({
            pattern: routeNamePattern,
            'x-detail':
              'must be up to 64 of a-z, 0-9, ".", "_", "-"; the first and the last a letter or digit',
            description: 'up to 64 of a-z, 0-9, ".", "_", "-"; the first and the last a letter or digit',
          }),
        }),
        body: RouteBody,
        response: { 200: RouteAnswer, 201: RouteAnswer },
      },
    },
    (request, reply) => {
      const fields = readRoute(context, { name: request.params.name, body: request.body });
      return controlWrite(
        context,
        { request, reply },
        {
          secretAnswer: true,
          async change(transaction) {
            await checkAccounts(transaction, fields.accounts ?? []);
            const { secrets } = context;
            const tells = context.connectors.get(fields.connector)?.readReceipts !== undefined;
            const { route, created } = await storeRoute(transaction, {
              ...{ fields, secrets },
              ...(tells && { receiptsToken: makeReceiptsToken() }),
            });
            return {
              status: created ? 201 : 200,
              body: routeAnswer(route, { complete: true, origin: publicOrigin(context, request) }),
            };
          },
        },
      );
    },
  );
}

/** The body with the options that the connectors judge. */
function describedRoute({ connectors }: ApiContext): { description: string; schema: object } {
  const options = Object.assign({}, ...[...connectors.values()].map(({ optionSchemas }) => optionSchemas));
  const names = [...connectors.keys()];
  return {
    description: `The fields of a route, and the options of its connector (${names.join(', ')}).`,
    schema: { ...RouteBody, properties: { ...RouteBody.properties, ...options } },
  };
}

async function checkAccounts(transaction: Queryable, ids: readonly number[]): Promise<void> {
  for (const [index, id] of ids.entries()) {
    if (!(await findAccount(transaction, id))) throw invalid('body', [unknownAccount(index)]);
  }
}
