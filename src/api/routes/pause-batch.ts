import { pauseBatch as pause } from '../../store/decisions/hold-batch.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { decideBatch } from '../deciding/decide-batch.ts';
import { BatchAnswer, BatchId } from './batch-fields.ts';

/** Pauses a batch; pausing it again changes nothing. */
export function pauseBatch(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/batches/:id/pause',
    {
      config: { scope: 'manage', errors: ['not_found', 'conflict'] },
      schema: {
        summary: 'Send nothing of a batch for now',
        description:
          'Every worker obeys within a second; requests on their way end as they began. Lines are still taken in.',
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
          change: (key) => pause(context.database, key),
          refusal: 'The batch is done or canceled: there is nothing to pause.',
        },
      ),
  );
}
