import { Type } from 'typebox';
import { countChosen } from '../../store/decisions/count-chosen.ts';
import { requestOfBatch } from '../../store/decisions/request-decision.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { awaitOwners } from '../deciding/await-owners.ts';
import { decideBatch } from '../deciding/decide-batch.ts';
import { Resolution, resolutionFilter } from '../deciding/resolution.ts';
import { BatchAnswer, BatchId } from './batch-fields.ts';

const ResolvedBatch = Type.Object({
  ...BatchAnswer.properties,
  settled: Type.Integer({
    minimum: 0,
    description:
      'messages that have ceased to be uncertain since the call; `counts.uncertain` are those that are left',
  }),
});

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
        response: { 200: ResolvedBatch },
      },
    },
    (request, reply) =>
      decideBatch(
        context,
        { request, reply },
        {
          async change(key) {
            const states = ['uncertain'] as const;
            if ((await countChosen(context.database, { ...key, states })) === 0) return true;
            const filter = resolutionFilter(request.body);
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
          tell: (before, after) => ({
            settled: Math.max(0, before.counts.uncertain - after.counts.uncertain),
          }),
        },
      ),
  );
}
