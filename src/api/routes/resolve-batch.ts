import { Type } from 'typebox';
import { countChosen } from '../../store/decisions/count-chosen.ts';
import { requestOfBatch } from '../../store/decisions/request-decision.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { awaitOwners } from '../deciding/await-owners.ts';
import { decideBatch } from '../deciding/decide-batch.ts';
import { BatchAnswer, BatchId } from './batch-fields.ts';

const Resolution = Type.Object(
  { as: Type.Union([Type.Literal('sent'), Type.Literal('failed')]) },
  { additionalProperties: false },
);

const resolvedAsFailed = {
  errorCode: 'resolved',
  detail: 'An operator settled the uncertain send as failed',
};

/** Settles the uncertain messages of a batch, by what the operator has found out about them. */
export function resolveBatch(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/batches/:id/resolve',
    {
      config: { scope: 'manage', errors: ['not_found'] },
      schema: {
        summary: 'Settle the uncertain messages of a batch',
        tags: ['batches'],
        params: BatchId,
        body: Resolution,
        response: { 200: BatchAnswer },
      },
    },
    (request, reply) =>
      decideBatch(
        context,
        { request, reply },
        {
          async change(key) {
            const { as: state } = request.body;
            const states = ['uncertain'] as const;
            if ((await countChosen(context.database, { ...key, states })) === 0) return true;
            const filter = { state, ...(state === 'failed' && resolvedAsFailed) };
            await requestOfBatch(context.database, {
              ...key,
              kind: 'resolve',
              states,
              filter,
            });
            await awaitOwners(context, { batch: key.batch });
            return true;
          },
          refusal: 'The batch cannot be settled.',
        },
      ),
  );
}
