import { ProblemError } from '../../message/error-codes.ts';
import { isId } from '../../message/id.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { BatchAnswer, BatchId, readBatch, showBatch } from './batch-fields.ts';

/** Closes a batch; closing it again changes nothing. */
export function closeBatch(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/batches/:id/close',
    {
      config: { scope: 'send', errors: ['not_found'] },
      schema: {
        summary: 'Close a batch: no more lines come',
        tags: ['batches'],
        params: BatchId,
        response: { 200: BatchAnswer },
      },
    },
    async (request) => {
      const { accountId } = request.caller;
      const { id } = request.params;
      if (!isId(id)) throw new ProblemError('not_found', 'there is no such batch');
      await readBatch(context, { accountId, id });
      await context.intake.closeBatch({ batch: id, accountId });
      return showBatch(await readBatch(context, { accountId, id }), context.control);
    },
  );
}
