import { parseTime } from '../../../lib/parse-time.ts';
import { splitFrame } from '../../../message/chunk-codec.ts';
import { chunkIdOfClassic } from '../../../message/classic-id.ts';
import { timelineOf } from '../../../message/fold-outcomes.ts';
import { parseId } from '../../../message/id.ts';
import type { MessageView } from '../../../message/message-view.ts';
import { fieldsToShow, frameToShow } from '../../../message/stored-message.ts';
import { isKeyedChunk } from '../../../store/reading/list-keyed-chunks.ts';
import { readChunks } from '../../../store/reading/read-chunks.ts';
import { readOutcomes } from '../../../store/reading/read-outcomes.ts';
import type { ApiContext } from '../../context.ts';
import { showMessages } from '../../reading/show-messages.ts';
import type { ClassicDetails } from './classic-message.ts';
import type { SeenMessage } from './classic-view.ts';
import { ClassicRefusal, classicCode } from './send-errors.ts';
import { classicList } from './store-messages.ts';

/**
 * A message of an account by its id in the classic API.
 * @throws ClassicRefusal when there is none, or it was deleted
 */
export async function findClassicMessage(
  context: ApiContext,
  { accountId, id }: { accountId: number; id: string },
): Promise<SeenMessage> {
  const chunkId = chunkIdOfClassic(id);
  if (chunkId === undefined) throw noSuchMessage();
  const [listed, [message]] = await Promise.all([
    isKeyedChunk(context.database, { accountId, key: classicList(accountId), chunkId }),
    readClassicMessages(context, { accountId, chunkIds: [chunkId] }),
  ]);
  if (!listed || !message) throw noSuchMessage();
  return message;
}

/**
 * Messages by their chunks, in the order of these. The primary is asked: clients of the classic API read what they have
 * just sent, and know no tokens by which a replica could tell that it has that.
 */
export async function readClassicMessages(
  { database, control }: ApiContext,
  { accountId, chunkIds }: { accountId: number; chunkIds: readonly string[] },
): Promise<SeenMessage[]> {
  const ids = [...chunkIds].sort();
  const [chunks, outcomes] = await Promise.all([
    readChunks(database, { accountId, ids }),
    readOutcomes(database, ids),
  ]);
  const found = chunks.flatMap((chunk) =>
    splitFrame(frameToShow(chunk)).map((line, offset) => ({ chunk, offset, line })),
  );
  const views = await showMessages(found, { database, control, accountId, outcomes });
  const seen = new Map<string, SeenMessage>();
  let start = 0;
  for (const { id, count } of chunks) {
    const lastAt = (offset: number) => timelineOf(outcomes.get(id)!, offset).at(-1)?.at ?? null;
    const some = { views: views.slice(start, start + count), lines: found.slice(start, start + count) };
    const message = seenMessage(id, { ...some, lastAt });
    if (message) seen.set(id, message);
    start += count;
  }
  return chunkIds.flatMap((id) => seen.get(id) ?? []);
}

/** Undefined for a chunk that came another way. */
function seenMessage(
  chunkId: string,
  {
    views,
    lines,
    lastAt,
  }: { views: MessageView[]; lines: { line: string }[]; lastAt: (offset: number) => Date | null },
): SeenMessage | undefined {
  // Each holds what they have in common, so the others tell it when one was erased.
  const one = views.find(({ metadata }) => metadata.messagebird !== undefined);
  const details = one?.metadata.messagebird as ClassicDetails | undefined;
  if (!details && !views.every(({ erased }) => erased)) return undefined;
  return {
    chunkId,
    originator: one?.from ?? null,
    body: one?.body ?? null,
    reference: one?.ref ?? null,
    reportUrl: reportUrlOf(lines),
    scheduledAt: one?.scheduledAt === undefined ? null : parseTime(one.scheduledAt),
    details: details ?? { type: 'sms', datacoding: 'plain', mclass: 1 },
    recipients: views.map(({ id, to, erased, state, error }) => ({
      to: erased ? null : to,
      state,
      at: lastAt(parseId(id).offset),
      ...(error && { error }),
    })),
  };
}

function reportUrlOf(lines: readonly { line: string }[]): string | null {
  return lines.map(({ line }) => fieldsToShow(line).reportUrl).find((url) => url !== undefined) ?? null;
}

export function noSuchMessage(): ClassicRefusal {
  return new ClassicRefusal(404, [
    { code: classicCode.notFound, description: 'message not found', parameter: null },
  ]);
}
