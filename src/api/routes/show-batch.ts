import type { ApiContext, ApiInstance } from '../context.ts';
import { BatchAnswer, BatchId, readBatch, showBatch as show } from './batch-fields.ts';

export function showBatch(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/batches/:id',
    {
      config: { scope: 'read', errors: ['not_found'] },
      schema: {
        summary: 'One batch: how far it is',
        tags: ['batches'],
        params: BatchId,
        response: { 200: BatchAnswer },
      },
    },
    async (request) =>
      app.sharedReads.run(request, async () => {
        const { accountId } = request.caller;
        return show(await readBatch(context, { accountId, id: request.params.id }), context.control);
      }),
  );
}
