import type { FastifyReply, FastifyRequest } from 'fastify';
import type { DecisionKind, InboxFilter } from '../../message/decision-request.ts';
import { ProblemError } from '../../message/error-codes.ts';
import { shardOf } from '../../message/id.ts';
import { type State, stateNumber } from '../../message/state.ts';
import { reopenBatch } from '../../store/decisions/reopen-batch.ts';
import { requestOfMessage, resettleBatch } from '../../store/decisions/request-decision.ts';
import type { ApiContext } from '../context.ts';
import { idempotently } from '../idempotency.ts';
import { readMessage } from '../reading/read-message.ts';
import { awaitOwners } from './await-owners.ts';

export interface MessageDecision {
  kind: Exclude<DecisionKind, 'erase'>;
  filter: InboxFilter;
  /** States in which the message is already as the caller wants it. */
  settled: readonly State[];
  /** States out of which it can be brought there. */
  possible: readonly State[];
  refusal: (state: State) => string;
}

/** Asks the owner of a message's shard for something, and answers with the message as it is then. */
export async function decideMessage(
  context: ApiContext,
  at: { request: FastifyRequest<{ Params: { id: string } }>; reply: FastifyReply },
  decision: MessageDecision,
): Promise<void> {
  const { accountId } = at.request.caller;
  const { id } = at.request.params;
  await idempotently(context, at, {
    body: Buffer.from(at.request.body === undefined ? '' : JSON.stringify(at.request.body)),
    async work() {
      const found = await readMessage(context, { accountId, id });
      const { state } = found.message;
      if (decision.settled.includes(state)) return { status: 200, body: found.message };
      if (!decision.possible.includes(state)) throw new ProblemError('conflict', decision.refusal(state));
      const { batch, count } = found.chunk;
      const { kind, filter } = decision;
      const messageId = found.message.id;
      const requestId = await context.database.transaction(async (transaction) => {
        if (batch !== null && kind === 'resolve') await resettleBatch(transaction, { batch, accountId });
        const reopens = batch !== null && kind === 'replay';
        if (reopens && !(await reopenBatch(transaction, { batch, accountId }))) {
          throw new ProblemError('conflict', stillCanceled);
        }
        return requestOfMessage(transaction, { messageId, batch, count, kind, filter });
      });
      await awaitOwners(context, { shard: shardOf(messageId), id: requestId });
      return { status: 200, body: (await readMessage(context, { accountId, id })).message };
    },
  });
}

/** What is replayed now might be canceled with the rest. */
const stillCanceled = 'The batch of the message is still being canceled. Replay it when the batch is done.';

/** States that have not come to an end. */
export const openStates = (Object.keys(stateNumber) as State[]).filter(
  (state) => stateNumber[state] < stateNumber.sent,
);

/** States out of which a replay makes new attempts. */
export const replayableStates = ['failed', 'expired', 'canceled', 'uncertain'] as const;
