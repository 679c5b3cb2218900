import { withStreamBodies } from '../../body.ts';
import type { ApiContext, ApiInstance, Endpoint } from '../../context.ts';
import { createMessage } from './create-message.ts';
import { createMessageBatch } from './create-message-batch.ts';
import { deleteMessage } from './delete-message.ts';
import { listClassicMessages } from './list-messages.ts';
import { ClassicRefusal, sendRefusal } from './send-errors.ts';
import { showBalance } from './show-balance.ts';
import { showClassicMessage } from './show-message.ts';

const endpoints: readonly Endpoint[] = [
  createMessage,
  createMessageBatch,
  listClassicMessages,
  showClassicMessage,
  deleteMessage,
  showBalance,
];

/**
 * MessageBird's classic SMS API, for its clients: docs/migrate-from-messagebird.md. Each endpoint reads its body and its
 * query itself; what they mean is described there and not in this server's own description.
 */
export function serveClassicApi(app: ApiInstance, context: ApiContext): void {
  withStreamBodies(app, (scope) => {
    scope.setErrorHandler((error, _request, reply) => {
      if (error instanceof ClassicRefusal) return sendRefusal(reply, error);
      throw error;
    });
    for (const endpoint of endpoints) endpoint(scope, context);
  });
}
