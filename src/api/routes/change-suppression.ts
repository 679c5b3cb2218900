import { changeSuppression as change } from '../../store/control/suppressions.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { idempotently } from '../idempotency.ts';
import {
  hashOf,
  noSuppression,
  SuppressionAnswer,
  SuppressionChange,
  SuppressionName,
  suppressionAnswer,
} from './suppression-fields.ts';

export function changeSuppression(app: ApiInstance, context: ApiContext): void {
  app.patch(
    '/v1/suppressions/:id',
    {
      config: { scope: 'manage', errors: ['not_found'] },
      schema: {
        summary: 'Change what is noted of a suppressed recipient',
        description: 'What is left out stays as it is; null takes it away.',
        tags: ['suppressions'],
        params: SuppressionName,
        body: SuppressionChange,
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
          body: Buffer.from(JSON.stringify(request.body)),
          async work() {
            const { reason, ref } = request.body;
            const changed = await change(context.database, { accountId, hash, reason, ref });
            if (!changed) throw noSuppression();
            return { status: 200, body: suppressionAnswer(changed) };
          },
        },
      );
    },
  );
}
