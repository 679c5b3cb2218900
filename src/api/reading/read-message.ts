import { frameLine } from '../../message/chunk-codec.ts';
import { type OutcomeRow, timelineOf } from '../../message/fold-outcomes.ts';
import { chunkIdOf, isId, parseId } from '../../message/id.ts';
import { createdAtOf, type MessageView } from '../../message/message-view.ts';
import { frameToShow } from '../../message/stored-message.ts';
import type { ControlCache } from '../../store/control/control-cache.ts';
import type { Queryable } from '../../store/database.ts';
import { findBatch } from '../../store/reading/find-batch.ts';
import { findEarlierOfKey } from '../../store/reading/find-earlier-of-key.ts';
import { readChunks, type StoredChunk } from '../../store/reading/read-chunks.ts';
import { readOutcomes } from '../../store/reading/read-outcomes.ts';
import { noSuchMessage } from '../routes/message-fields.ts';
import { showMessages } from './show-messages.ts';
import { isWaiting, type Wait, waitsFor } from './waits-for.ts';

/**
 * A message of an account with its timeline and with what it waits for, and its chunk. The id says where it lies: its shard, its chunk, its
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
  const [chunks, read] = await Promise.all([
    readChunks(database, { accountId, ids }),
    readOutcomes(database, ids),
  ]);
  const chunk = chunks[0];
  if (!chunk || offset >= chunk.count) throw noSuchMessage();
  const line = frameLine(frameToShow(chunk), offset);
  const [message] = await showMessages([{ chunk, offset, line }], {
    database,
    control,
    accountId,
    outcomes: read,
  });
  const outcomes = read.get(chunk.id)!;
  const accepted = { at: createdAtOf(chunk.id), state: 'queued' as const };
  const timeline = timelineOf(outcomes, offset).map(({ at, dueAt, ...entry }) => ({
    ...{ ...entry, at: at.toISOString() },
    ...(dueAt && { dueAt: dueAt.toISOString() }),
  }));
  const waits =
    isWaiting(message!) && (await waitsOf(message!, { database, control, accountId, chunk, outcomes }));
  return {
    message: { ...message!, ...(waits && { waitsFor: waits }), timeline: [accepted, ...timeline] },
    chunk,
  };
}

async function waitsOf(
  message: MessageView,
  settings: {
    database: Queryable;
    control: ControlCache;
    accountId: number;
    chunk: StoredChunk;
    outcomes: readonly OutcomeRow[];
  },
): Promise<Wait[]> {
  const { database, control, accountId, chunk, outcomes } = settings;
  const [batch, earlier] = await Promise.all([
    chunk.batch === null ? undefined : findBatch(database, { accountId, id: chunk.batch }),
    message.orderingKey === undefined ? undefined : findEarlierOfKey(database, message.id),
  ]);
  return waitsFor(message, { batch, route: control.routeById(chunk.routeId), outcomes, earlier });
}
