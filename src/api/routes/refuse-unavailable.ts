import type { HTTPMethods } from 'fastify';
import type { Scope } from '../../message/api-key.ts';
import { ProblemError } from '../../message/error-codes.ts';
import type { ApiInstance } from '../context.ts';

/** Promised by the interface and not built yet: refused by name, so that nobody takes a 404 for an answer. */
const unavailable: readonly [HTTPMethods | HTTPMethods[], string, Scope][] = [
  ...['suppressions'].flatMap(
    (name) =>
      [
        [['GET', 'POST'], `/v1/${name}`, 'manage'],
        [['GET', 'PUT', 'PATCH', 'DELETE'], `/v1/${name}/:id`, 'manage'],
      ] as [HTTPMethods[], string, Scope][],
  ),
];

export function refuseUnavailable(app: ApiInstance): void {
  for (const [method, url, scope] of unavailable) {
    app.route({
      method,
      url,
      config: { scope },
      schema: { hide: true },
      handler: () => {
        throw new ProblemError('not_available', 'this call is not available yet');
      },
    });
  }
}
