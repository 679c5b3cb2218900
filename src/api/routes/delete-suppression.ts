import { deleteSuppression as remove } from '../../store/control/suppressions.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { idempotently } from '../idempotency.ts';
import {
  hashOf,
  noSuppression,
  SuppressionAnswer,
  SuppressionName,
  suppressionAnswer,
} from './suppression-fields.ts';

export function deleteSuppression(app: ApiInstance, context: ApiContext): void {
  app.delete(
    '/v1/suppressions/:id',
    {
      config: { scope: 'manage', errors: ['not_found'] },
      schema: {
        summary: 'Let a recipient get messages again',
        description: 'Messages that ended as `suppressed` stay so: they are not sent after all.',
        tags: ['suppressions'],
        params: SuppressionName,
        response: { 200: SuppressionAnswer },
      },
    },
    async (request, reply) => {
      const { accountId } = request.caller;
      const hash = hashOf(context, { accountId, place: request.params.id });
      return idempotently(
        context,
        { request, reply },
        {
          body: Buffer.from(JSON.stringify(request.body ?? null)),
          async work() {
            const removed = await remove(context.database, { accountId, hash });
            if (!removed) throw noSuppression();
            return { status: 200, body: suppressionAnswer(removed) };
          },
        },
      );
    },
  );
}
