import { resumeBatch as resume } from '../../store/decisions/hold-batch.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { decideBatch } from '../deciding/decide-batch.ts';
import { BatchAnswer, BatchId } from './batch-fields.ts';

/** Lets a paused batch go on; one that is not paused stays as it is. */
export function resumeBatch(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/batches/:id/resume',
    {
      config: { scope: 'manage', errors: ['not_found', 'conflict'] },
      schema: {
        summary: 'Go on with a paused batch',
        description: 'Its messages are sent again within a second, from where they were.',
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
          change: (key) => resume(context.database, key),
          refusal: 'The batch is canceled. Replay its canceled messages to send them.',
        },
      ),
  );
}
