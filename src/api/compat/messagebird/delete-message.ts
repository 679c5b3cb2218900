import { ProblemError } from '../../../message/error-codes.ts';
import { shardOf } from '../../../message/id.ts';
import { requestOfMessages } from '../../../store/decisions/request-decision.ts';
import { removeKeyedChunk } from '../../../store/reading/list-keyed-chunks.ts';
import type { ApiContext, ApiInstance } from '../../context.ts';
import { awaitOwners } from '../../deciding/await-owners.ts';
import { openStates } from '../../deciding/decide-message.ts';
import { classicRoute } from './classic-route.ts';
import type { SeenMessage } from './classic-view.ts';
import { findClassicMessage } from './find-messages.ts';
import { readQuery, refuseKeyed } from './read-fields.ts';
import { refuseAll } from './refuse-all.ts';
import { ClassicRefusal, classicCode } from './send-errors.ts';
import { classicList } from './store-messages.ts';

/** Cancels what is not sent yet: of a scheduled message mostly all. One of which nothing was sent is gone then. */
export function deleteMessage(app: ApiInstance, context: ApiContext): void {
  app.delete<{ Params: { id: string } }>('/messages/:id', classicRoute('manage'), async (request, reply) => {
    refuseKeyed(request);
    refuseAll(readQuery(request));
    const key = { accountId: request.caller.accountId, id: request.params.id };
    const before = await findClassicMessage(context, key);
    if (offsetsIn(before, openStates).length > 0) await cancel(context, before);
    const after = await findClassicMessage(context, key);
    if (offsetsIn(after, openStates).length > 0) throw stillOnItsWay();
    const canceled = offsetsIn(after, ['canceled']);
    if (canceled.length === 0) throw tooLate();
    if (canceled.length === after.recipients.length) {
      const { accountId } = key;
      await removeKeyedChunk(context.database, {
        ...{ accountId, key: classicList(accountId), chunkId: after.chunkId },
      });
    }
    return reply.code(204).send();
  });
}

async function cancel(context: ApiContext, message: SeenMessage): Promise<void> {
  const { chunkId, recipients } = message;
  const id = await context.database.transaction((transaction) =>
    requestOfMessages(transaction, {
      chunkId,
      batch: null,
      count: recipients.length,
      offsets: offsetsIn(message, openStates),
      kind: 'cancel',
      filter: {},
    }),
  );
  await awaitOwners(context, { shard: shardOf(chunkId), id });
}

function offsetsIn({ recipients }: SeenMessage, states: readonly string[]): number[] {
  return recipients.flatMap(({ state }, offset) => (states.includes(state) ? [offset] : []));
}

function stillOnItsWay(): ProblemError {
  const detail =
    'the message is to be canceled, but a part of it may be on its way right now: delete it again';
  return new ProblemError('unavailable', detail, { retryAfterSeconds: 1 });
}

function tooLate(): ClassicRefusal {
  const description = 'Request not allowed (the message is sent: nothing of it can be canceled any more)';
  return new ClassicRefusal(405, [{ code: classicCode.notAllowed, description, parameter: null }]);
}
