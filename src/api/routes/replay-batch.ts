import { Type } from 'typebox';
import { countChosen } from '../../store/decisions/count-chosen.ts';
import { requestOfBatch } from '../../store/decisions/request-decision.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { awaitOwners } from '../deciding/await-owners.ts';
import { decideBatch } from '../deciding/decide-batch.ts';
import { replayableStates } from '../deciding/decide-message.ts';
import { BatchAnswer, BatchId } from './batch-fields.ts';

const Replay = Type.Object(
  {
    states: Type.Array(Type.Union(replayableStates.map((state) => Type.Literal(state))), {
      minItems: 1,
      maxItems: replayableStates.length,
      description: 'messages in one of these states',
    }),
    errorCode: Type.Optional(
      Type.String({ minLength: 1, maxLength: 100, description: 'only those that ended with this error' }),
    ),
  },
  { additionalProperties: false },
);

const ReplayAnswer = Type.Intersect([
  BatchAnswer,
  Type.Object({
    replayed: Type.Union([Type.Integer(), Type.Null()], {
      description:
        'messages that are tried again; null where it takes their owners to tell, as in a batch that is not done',
    }),
  }),
]);

/** Makes new attempts of messages of a batch that came to a bad end. */
export function replayBatch(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/batches/:id/replay',
    {
      config: { scope: 'manage', sends: true, errors: ['not_found', 'conflict'] },
      schema: {
        summary: 'Try messages of a batch again that ended badly',
        description:
          'Exactly the messages that are in one of the states when their owner comes to them get new attempts, under the ' +
          'same id. Where there is none, nothing changes. Towards the provider an uncertain message keeps its key, the others get `<id>.<n>`.',
        tags: ['batches'],
        params: BatchId,
        body: Replay,
        response: { 200: ReplayAnswer },
      },
    },
    (request, reply) =>
      decideBatch(
        context,
        { request, reply },
        {
          async change(key) {
            const filter = request.body;
            const { states } = filter;
            const replayed = await countChosen(context.database, { ...key, ...filter });
            // The batch stays as it is, and was done when it was done.
            if (replayed === 0) return { replayed };
            if (!(await requestOfBatch(context.database, { ...key, kind: 'replay', states, filter })))
              return false;
            await awaitOwners(context, { batch: key.batch });
            return { replayed };
          },
          refusal: 'The batch is still being canceled. Replay it when it is done.',
        },
      ),
  );
}
