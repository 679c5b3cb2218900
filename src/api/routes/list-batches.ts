import { Type } from 'typebox';
import { isId } from '../../message/id.ts';
import { listBatches as list } from '../../store/reading/list-batches.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { badCursor, Page, pageLimit, pageOf, pageQuery } from '../page.ts';
import { readingContext } from '../read-target.ts';
import { BatchAnswer, knowRoutes, showBatch } from './batch-fields.ts';

export function listBatches(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/batches',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Batches, newest first',
        tags: ['batches'],
        querystring: Type.Object(pageQuery, { additionalProperties: false }),
        response: { 200: Page(BatchAnswer) },
      },
    },
    async (request) =>
      app.sharedReads.run(request, async () => {
        const { accountId } = request.caller;
        const { after } = request.query;
        if (after !== undefined && !isId(after)) throw badCursor();
        const limit = pageLimit(request.query);
        const { database, control } = await readingContext(context, request);
        const batches = await list(database, {
          accountId,
          limit: limit + 1,
          before: after,
        });
        await knowRoutes(
          control,
          batches.map(({ routeId }) => routeId),
        );
        return pageOf(batches, {
          limit,
          cursor: (batch) => batch.id,
          show: (batch) => showBatch(batch, control),
        });
      }),
  );
}
