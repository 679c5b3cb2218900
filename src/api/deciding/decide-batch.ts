import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError } from '../../message/error-codes.ts';
import { isId } from '../../message/id.ts';
import type { BatchRow } from '../../store/reading/batch-row.ts';
import type { ApiContext } from '../context.ts';
import { idempotently } from '../idempotency.ts';
import { readBatch, showBatch } from '../routes/batch-fields.ts';

/**
 * Does something to a batch of the caller's account and answers with the batch as it is then.
 * `change` answers false when the batch is in no state for it; `refusal` says which state that takes. Another answer
 * than true is shown beside the batch.
 */
export async function decideBatch(
  context: ApiContext,
  at: { request: FastifyRequest<{ Params: { id: string } }>; reply: FastifyReply },
  decision: {
    change: (
      key: { batch: string; accountId: number },
      found: BatchRow,
    ) => Promise<boolean | { replayed: number | null }>;
    refusal: string;
    /** What the answer says beside the batch. */
    tell?: (before: BatchRow, after: BatchRow) => Record<string, unknown>;
  },
): Promise<void> {
  const { accountId } = at.request.caller;
  const { id } = at.request.params;
  await idempotently(context, at, {
    body: Buffer.from(JSON.stringify(at.request.body ?? null)),
    async work() {
      if (!isId(id)) throw new ProblemError('not_found', 'there is no such batch');
      const found = await readBatch(context, { accountId, id });
      const changed = await decision.change({ batch: id, accountId }, found);
      if (!changed) {
        throw new ProblemError('conflict', decision.refusal);
      }
      const batch = await readBatch(context, { accountId, id });
      const told = { ...(changed !== true && changed), ...decision.tell?.(found, batch) };
      return { status: 200, body: { ...showBatch(batch, context.control), ...told } };
    },
  });
}
