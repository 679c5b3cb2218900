import { Type } from 'typebox';
import { isId } from '../../message/id.ts';
import { stateNumber } from '../../message/state.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { badCursor, Page, pageLimit, pageQuery } from '../page.ts';
import { readingContext } from '../read-target.ts';
import { pickByState, pickMessages } from '../reading/pick-messages.ts';
import { readLines } from '../reading/read-lines.ts';
import { showMessages } from '../reading/show-messages.ts';
import { BatchId, readBatch } from './batch-fields.ts';
import { MessageAnswer, StateName } from './message-fields.ts';

export function listBatchMessages(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/batches/:id/messages',
    {
      config: { scope: 'read', errors: ['not_found'] },
      schema: {
        summary: 'Messages of a batch, in order of id',
        description: 'With `state`, a page may hold fewer than `limit` messages and still have a `next`.',
        tags: ['batches'],
        params: BatchId,
        querystring: Type.Object(
          { ...pageQuery, state: Type.Optional(StateName) },
          { additionalProperties: false },
        ),
        response: { 200: Page(MessageAnswer) },
      },
    },
    async (request) =>
      app.sharedReads.run(request, async () => {
        const { accountId } = request.caller;
        const { state, after } = request.query;
        const reads = await readingContext(context, request);
        const { database, control } = reads;
        const { id: batch, counts } = await readBatch(reads, { accountId, id: request.params.id });
        if (after !== undefined && !isId(after)) throw badCursor();
        if (state !== undefined && counts[state] === 0) return { data: [], next: null };
        const page = { batch, after, limit: pageLimit(request.query) };
        const { picks, next, outcomes } =
          state === undefined
            ? await pickMessages(database, page)
            : await pickByState(database, { ...page, state: stateNumber[state] });
        const found = await readLines(database, { accountId, picks });
        const data = await showMessages(found, {
          database,
          control,
          accountId,
          ...(outcomes && { outcomes }),
        });
        return { data, next };
      }),
  );
}
