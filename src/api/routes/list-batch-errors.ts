import { Type } from 'typebox';
import { offsetsOf } from '../../message/bitmap.ts';
import { messageIdAt } from '../../message/id.ts';
import { limits } from '../../message/limits.ts';
import { stateName } from '../../message/state.ts';
import { countErrors, type ErrorRow } from '../../store/reading/count-errors.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { readingContext } from '../read-target.ts';
import { BatchId, readBatch } from './batch-fields.ts';
import { StateName } from './message-fields.ts';

/** Kinds of errors that are told: a provider may invent codes. */
const errorsMax = 100;

const ErrorsAnswer = Type.Object({
  data: Type.Array(
    Type.Object({
      code: Type.String(),
      state: StateName,
      messages: Type.Integer({
        description:
          'that came to this state by this error; one that was tried or replayed again counts each time',
      }),
      lastAt: Type.String({ format: 'date-time' }),
      example: Type.Object({
        id: Type.String({ description: 'a message that did' }),
        detail: Type.Union([Type.String(), Type.Null()], { description: 'what its provider said' }),
      }),
    }),
    { description: `the most frequent first, ${errorsMax} at most` },
  ),
});

export function listBatchErrors(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/batches/:id/errors',
    {
      config: { scope: 'read', errors: ['not_found'] },
      schema: {
        summary: 'The errors that messages of a batch met, by code, with an example of each',
        tags: ['batches'],
        params: BatchId,
        response: { 200: ErrorsAnswer },
      },
    },
    async (request) =>
      app.sharedReads.run(request, async () => {
        const { accountId } = request.caller;
        const reads = await readingContext(context, request);
        const { id } = await readBatch(reads, { accountId, id: request.params.id });
        const errors = await countErrors(reads.database, { batch: id, limit: errorsMax });
        return { data: errors.map(shown) };
      }),
  );
}

function shown({ code, state, messages, lastAt, chunkId, offsets, details }: ErrorRow) {
  const offset = offsets === null ? 0 : (offsetsOf(offsets, limits.chunkMessagesMax)[0] ?? 0);
  return {
    code,
    state: stateName(state),
    messages,
    lastAt: lastAt.toISOString(),
    example: { id: messageIdAt(chunkId, offset), detail: details?.[0] ?? null },
  };
}
