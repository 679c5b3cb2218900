import type { ApiContext, ApiInstance } from '../../context.ts';
import { classicRoute } from './classic-route.ts';
import { originOf, showClassic } from './classic-view.ts';
import { findClassicMessage } from './find-messages.ts';
import { readQuery } from './read-fields.ts';
import { refuseAll } from './refuse-all.ts';

export function showClassicMessage(app: ApiInstance, context: ApiContext): void {
  app.get<{ Params: { id: string } }>('/messages/:id', classicRoute('read'), async (request) => {
    refuseAll(readQuery(request));
    const { accountId } = request.caller;
    const message = await findClassicMessage(context, { accountId, id: request.params.id });
    return showClassic(message, { origin: originOf(request), nowMs: Date.now(), full: true });
  });
}
