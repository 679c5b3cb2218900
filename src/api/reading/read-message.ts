import { frameLine } from '../../message/chunk-codec.ts';
import { timelineOf } from '../../message/fold-outcomes.ts';
import { chunkIdOf, isId, parseId } from '../../message/id.ts';
import { createdAtOf } from '../../message/message-view.ts';
import { frameToShow } from '../../message/stored-message.ts';
import type { ControlCache } from '../../store/control/control-cache.ts';
import type { Queryable } from '../../store/database.ts';
import { findBatch } from '../../store/reading/find-batch.ts';
import { readChunks } from '../../store/reading/read-chunks.ts';
import { readOutcomes } from '../../store/reading/read-outcomes.ts';
import { noSuchMessage } from '../routes/message-fields.ts';
import { findEarlier } from './find-earlier.ts';
import { showMessages } from './show-messages.ts';
import { isWaiting, waitsFor, wasReplayed } from './waits-for.ts';

/**
 * A message of an account with its timeline, its chunk, and what is recorded of that. The id says where it lies: its shard, its chunk, its
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
  return { message: { ...message!, timeline: [accepted, ...timeline] }, chunk, outcomes };
}

type FoundMessage = Awaited<ReturnType<typeof readMessage>>;

/** The message with all that keeps it, where it waits: another look at its batch, and at others of its ordering key. */
export async function withWaits(
  { message, chunk, outcomes }: FoundMessage,
  { database, control, accountId }: { database: Queryable; control: ControlCache; accountId: number },
) {
  if (!isWaiting(message)) return message;
  const isOrdered = message.orderingKey !== undefined && !wasReplayed(outcomes, message.id);
  const [batch, earlier] = await Promise.all([
    chunk.batch === null ? undefined : findBatch(database, { accountId, id: chunk.batch }),
    isOrdered ? findEarlier(database, { accountId, id: message.id }) : undefined,
  ]);
  const waits = waitsFor(message, { batch, route: control.routeById(chunk.routeId), outcomes, earlier });
  return waits.length === 0 ? message : { ...message, waitsFor: waits };
}
