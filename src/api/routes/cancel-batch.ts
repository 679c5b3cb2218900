import { cancelBatch as cancel } from '../../store/decisions/hold-batch.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { decideBatch } from '../deciding/decide-batch.ts';
import { BatchAnswer, BatchId } from './batch-fields.ts';

/** Cancels a batch: what is not sent yet never is, unless it is replayed. It takes no further lines. */
export function cancelBatch(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/batches/:id/cancel',
    {
      config: { scope: 'manage', errors: ['not_found', 'conflict'] },
      schema: {
        summary: 'Cancel what is not sent yet of a batch',
        description:
          'Every worker obeys within a second; requests on their way end as they began, and are not tried again. ' +
          'Messages that were sent stay sent. The batch is closed.',
        tags: ['batches'],
        params: BatchId,
        response: { 200: BatchAnswer },
      },
    },
    (request, reply) =>
      decideBatch(
        context,
        { request, reply },
        {
          async change(key) {
            // First, so that the owners cancel whatever an upload still commits.
            if (!(await cancel(context.database, key))) return false;
            await context.intake.closeBatch(key);
            return true;
          },
          refusal: 'The batch is done: there is nothing left to cancel.',
        },
      ),
  );
}
