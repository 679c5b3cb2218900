import { frameLine } from '../../message/chunk-codec.ts';
import { timelineOf } from '../../message/fold-outcomes.ts';
import { chunkIdOf, isId, parseId } from '../../message/id.ts';
import { createdAtOf } from '../../message/message-view.ts';
import { frameToShow } from '../../message/stored-message.ts';
import type { ControlCache } from '../../store/control/control-cache.ts';
import type { Queryable } from '../../store/database.ts';
import { readChunks } from '../../store/reading/read-chunks.ts';
import { readOutcomes } from '../../store/reading/read-outcomes.ts';
import { noSuchMessage } from '../routes/message-fields.ts';
import { showMessages } from './show-messages.ts';

/**
 * A message of an account with its timeline, and its chunk. The id says where it lies: its shard, its chunk, its
 * place in the chunk.
 * @throws ProblemError `not_found`
 */
export async function readMessage(
  { database, control }: { database: Queryable; control: ControlCache },
  { accountId, id }: { accountId: number; id: string },
) {
  if (!isId(id)) throw noSuchMessage();
  const ids = [chunkIdOf(id)];
  const { offset } = parseId(id);
  const [chunks, outcomes] = await Promise.all([
    readChunks(database, { accountId, ids }),
    readOutcomes(database, ids),
  ]);
  const chunk = chunks[0];
  if (!chunk || offset >= chunk.count) throw noSuchMessage();
  const line = frameLine(frameToShow(chunk), offset);
  const [message] = await showMessages([{ chunk, offset, line }], { database, control, accountId, outcomes });
  const accepted = { at: createdAtOf(chunk.id), state: 'queued' as const };
  const timeline = timelineOf(outcomes.get(chunk.id)!, offset).map(({ at, dueAt, ...entry }) => ({
    ...{ ...entry, at: at.toISOString() },
    ...(dueAt && { dueAt: dueAt.toISOString() }),
  }));
  return { message: { ...message!, timeline: [accepted, ...timeline] }, chunk };
}
