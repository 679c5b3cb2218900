import { findSuppression } from '../../store/control/suppressions.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { readingContext } from '../read-target.ts';
import {
  hashOf,
  noSuppression,
  SuppressionAnswer,
  SuppressionName,
  suppressionAnswer,
} from './suppression-fields.ts';

export function showSuppression(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/suppressions/:id',
    {
      config: { scope: 'read', errors: ['not_found'] },
      schema: {
        summary: 'One suppressed recipient',
        tags: ['suppressions'],
        params: SuppressionName,
        response: { 200: SuppressionAnswer },
      },
    },
    async (request) => {
      const { accountId } = request.caller;
      const hash = hashOf(context, { accountId, place: request.params.id });
      const { database } = await readingContext(context, request);
      const found = await findSuppression(database, { accountId, hash });
      if (!found) throw noSuppression();
      return suppressionAnswer(found);
    },
  );
}
