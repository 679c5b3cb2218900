import { filledByOneRequest } from '../../intake/upload-conflicts.ts';
import { ProblemError } from '../../message/error-codes.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { decideBatch } from '../deciding/decide-batch.ts';
import { BatchAnswer, BatchId } from './batch-fields.ts';

/** Closes a batch; closing it again changes nothing. */
export function closeBatch(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/batches/:id/close',
    {
      config: { scope: 'send', errors: ['not_found', 'conflict'] },
      schema: {
        summary: 'Close a batch: no more lines come',
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
          async change(key, { defaults, closedAt }) {
            if (request.caller.test && !defaults.test) throw notOfTestKey();
            if (defaults.atomic && !closedAt) throw filledByOneRequest(key.batch);
            await context.intake.closeBatch(key);
            return true;
          },
          refusal: 'The batch cannot be closed.',
        },
      ),
  );
}

/** Closing one may begin its delivery. */
function notOfTestKey(): ProblemError {
  return new ProblemError(
    'conflict',
    'The batch was not made with a test key, and a test key does not close it: use another key of the account.',
  );
}
