import type { FastifyRequest } from 'fastify';
import { isId } from '../../message/id.ts';
import type { BatchRow } from '../../store/reading/batch-row.ts';
import { findBatch } from '../../store/reading/find-batch.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { readingContext } from '../read-target.ts';
import { BatchAnswer, BatchId, knowRoutes, readBatch, showBatch as show } from './batch-fields.ts';

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
        const key = { accountId: request.caller.accountId, id: request.params.id };
        return show(await readToResume(context, { request, key }), context.control);
      }),
  );
}

/**
 * An upload that broke goes on from `nextLine`, and its sender was given no token: of a batch that may have grown
 * meanwhile only the primary tells. Nothing is added to one that is closed.
 */
async function readToResume(
  context: ApiContext,
  { request, key }: { request: FastifyRequest; key: { accountId: number; id: string } },
): Promise<BatchRow> {
  const { database } = await readingContext(context, request);
  if (database === context.database || !isId(key.id)) return await readBatch(context, key);
  const batch = await findBatch(database, key);
  if (!batch?.closedAt) return await readBatch(context, key);
  await knowRoutes(context.control, [batch.routeId]);
  return batch;
}
