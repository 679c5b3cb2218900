import { Type } from 'typebox';
import { decodeChunk, frameLine } from '../../message/chunk-codec.ts';
import { timelineOf } from '../../message/fold-outcomes.ts';
import { chunkIdOf, isId, parseId } from '../../message/id.ts';
import { createdAtOf } from '../../message/message-view.ts';
import { readChunks } from '../../store/reading/read-chunks.ts';
import { readOutcomes } from '../../store/reading/read-outcomes.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { showMessages } from '../reading/show-messages.ts';
import { MessageWithTimeline, noSuchMessage } from './message-fields.ts';

export function showMessage(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/messages/:id',
    {
      config: { scope: 'read', errors: ['not_found'] },
      schema: {
        summary: 'One message and what became of it',
        tags: ['messages'],
        params: Type.Object({ id: Type.String() }),
        response: { 200: MessageWithTimeline },
      },
    },
    async (request) =>
      app.sharedReads.run(request, () =>
        readMessage(context, { accountId: request.caller.accountId, id: request.params.id }),
      ),
  );
}

/** The id says where the message lies: its shard, its chunk, its place in the chunk. */
async function readMessage(context: ApiContext, { accountId, id }: { accountId: number; id: string }) {
  if (!isId(id)) throw noSuchMessage();
  const { database, control } = context;
  const ids = [chunkIdOf(id)];
  const { offset } = parseId(id);
  const [chunks, outcomes] = await Promise.all([
    readChunks(database, { accountId, ids }),
    readOutcomes(database, ids),
  ]);
  const chunk = chunks[0];
  if (!chunk || offset >= chunk.count) throw noSuchMessage();
  const line = frameLine(decodeChunk(chunk.codec, chunk.payload), offset);
  const [message] = await showMessages([{ chunk, offset, line }], { database, control, accountId, outcomes });
  const accepted = { at: createdAtOf(chunk.id), state: 'queued' as const };
  const timeline = timelineOf(outcomes.get(chunk.id)!, offset).map((entry) => ({
    ...entry,
    at: entry.at.toISOString(),
  }));
  return { ...message!, timeline: [accepted, ...timeline] };
}
