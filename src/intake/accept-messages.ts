import { byWeight } from '../lib/by-weight.ts';
import type { ErrorItem } from '../message/error-codes.ts';
import { ProblemError } from '../message/error-codes.ts';
import { priorityName, priorityNumber } from '../message/fields.ts';
import { chunkIdOf, messageIdAt, parseId } from '../message/id.ts';
import { limits } from '../message/limits.ts';
import { mergedPins } from '../message/templates/pins.ts';
import type { GroupCommit } from './group-commit.ts';
import type { LoadShedding } from './load-shedding.ts';
import type { MessageGroup } from './message-group.ts';
import type { ParsedMessage, ParsedMessages } from './parse-messages.ts';
import { refusalProblem, refusedBeforeProblem } from './refusal-problem.ts';

export interface AcceptedMessages {
  messages: { id: string; to: string; state: 'queued' }[];
  errors: ErrorItem[];
}

/** Messages of one request that share a lane and a chunk; with ordering keys, also their shard. */
interface ChunkMessages {
  routeId: number;
  priority: number;
  /** The messages name times of their own. */
  timed: boolean;
  shard?: number;
  messages: ParsedMessage[];
}

/**
 * Makes the valid messages of a request durable. `reservedIds` are those of `reserveMessages`: storing the
 * same messages under them again changes nothing.
 * Messages that the account may not send any more are listed among the errors.
 * @throws ProblemError `conflict` when the chunks are no longer those that the ids were reserved for; what keeps all of them out
 * when none was taken
 */
export async function acceptMessages(
  groupCommit: GroupCommit,
  {
    accountId,
    test,
    parsed,
    reservedIds,
    shedding,
    listKey,
    together,
  }: {
    accountId: number;
    /** A test key sends them. */
    test: boolean;
    parsed: ParsedMessages;
    reservedIds?: readonly string[];
    /** Absent for a request that is tried again: its messages may be there. */
    shedding?: Pick<LoadShedding, 'problemOf'>;
    /** A list of the account that chunks with reserved ids are to stand in. */
    listKey?: bigint;
    /** As in a `MessageGroup`. */
    together?: string;
  },
): Promise<AcceptedMessages> {
  const chunks = chunksOf(parsed.messages);
  if (reservedIds && !areReservedFor(chunks, reservedIds)) {
    throw new ProblemError(
      'conflict',
      'Routes or templates have changed since this request was first tried, and it is not known what became of it. ' +
        'Look its messages up before sending them under another key.',
    );
  }
  const stored = await Promise.all(
    chunks.map(async (chunk, index) => {
      const overload = shedding?.problemOf(priorityName(chunk.priority), chunk.messages.length);
      if (overload) return { messages: [], refused: refusedOf(chunk.messages, () => overload) };
      const { ids, refusal } = await groupCommit.store({
        ...groupOf(chunk, { accountId, test }),
        ...(reservedIds && { chunkId: chunkIdOf(reservedIds[index]!), listKey, together }),
      });
      const taken = chunk.messages.slice(0, ids.length);
      const left = chunk.messages.slice(ids.length);
      return {
        messages: taken.map(({ index, to }, position) => ({ index, id: ids[position]!, to })),
        refused: refusedOf(left, () => (refusal ? refusalProblem(refusal) : refusedBeforeProblem())),
      };
    }),
  );
  return answerOf({
    messages: stored.flatMap(({ messages }) => messages),
    refused: stored.flatMap(({ refused }) => refused),
    errors: parsed.errors,
  });
}

function groupOf(
  { routeId, priority, timed, shard, messages }: ChunkMessages,
  { accountId, test }: { accountId: number; test: boolean },
): MessageGroup {
  return {
    ...{ accountId, routeId, priority, test, timed },
    dueAtMs: dueAtMsOf(messages),
    // All were judged at one moment: a name means the same to each.
    templates: messages.reduce((pins, message) => mergedPins(pins, message.templates), noPins),
    lines: messages.map(({ line }) => line),
    parts: messages.map(({ parts }) => parts),
    toHashes: messages.map(({ toHash }) => toHash),
    refHashes: messages.map(({ refHash }) => refHash),
    ...(shard !== undefined && {
      ordering: { shard, hashes: messages.map(({ orderingKey }) => orderingKey!.hash) },
    }),
  };
}

/** The problem is not made for nothing: an error notes where it was made, which took 20 µs of each message that was taken. */
function refusedOf(messages: readonly ParsedMessage[], problemOf: () => ProblemError) {
  if (messages.length === 0) return [];
  const problem = problemOf();
  return messages.map(({ index }) => ({ index, problem }));
}

/** Each in the order of the request. */
function answerOf({
  messages,
  refused,
  errors: invalid,
}: {
  messages: { index: number; id: string; to: string }[];
  refused: { index: number; problem: ProblemError }[];
  errors: ErrorItem[];
}): AcceptedMessages {
  const items = refused.map(({ index, problem }) => ({ index, code: problem.code, detail: problem.message }));
  const errors = [...invalid, ...items].sort((a, b) => a.index! - b.index!);
  if (messages.length === 0 && refused.length > 0) {
    const { code, message, retryAfterSeconds } = refused[0]!.problem;
    throw new ProblemError(code, message, { errors, ...(retryAfterSeconds && { retryAfterSeconds }) });
  }
  messages.sort((a, b) => a.index - b.index);
  return { messages: messages.map(({ id, to }) => ({ id, to, state: 'queued' as const })), errors };
}

/**
 * Ids to store messages under, those of the last message of each chunk: so a try that finds other messages valid,
 * because routes have changed, is told from the one that the ids were made for.
 */
export function reserveMessages(groupCommit: GroupCommit, messages: readonly ParsedMessage[]): string[] {
  return chunksOf(messages).map((chunk) =>
    messageIdAt(groupCommit.reserveChunkId(chunk.shard), chunk.messages.length - 1),
  );
}

/**
 * In order of each lane's first message, so that the same body always gives the same. What a chunk may not hold
 * together is cut into several, and messages with times of their own are kept apart: the others then need no look
 * at them.
 */
function chunksOf(messages: readonly ParsedMessage[]): ChunkMessages[] {
  const lanes = new Map<string, ChunkMessages>();
  const ordered = new Map<number, ChunkMessages>();
  const all: ChunkMessages[] = [];
  for (const message of messages) {
    const { timed } = message;
    if (message.orderingKey !== undefined) {
      addOrdered(message, { ordered, all, shard: message.orderingKey.shard });
      continue;
    }
    const key = `${message.routeId}:${message.priority}:${timed}`;
    let lane = lanes.get(key);
    if (!lane) {
      lane = { routeId: message.routeId, priority: priorityNumber[message.priority], timed, messages: [] };
      lanes.set(key, lane);
      all.push(lane);
    }
    lane.messages.push(message);
  }
  const weight = ({ line }: ParsedMessage) => line.length + 1;
  return all.flatMap((lane) =>
    [...byWeight(lane.messages, { weight, max: limits.slotBytesMax })].map((some) => ({
      ...lane,
      messages: some,
    })),
  );
}

/** On each shard, a message that goes another way than the one before it begins another chunk: chunks keep their order. */
function addOrdered(
  message: ParsedMessage,
  { ordered, all, shard }: { ordered: Map<number, ChunkMessages>; all: ChunkMessages[]; shard: number },
): void {
  const { routeId, timed } = message;
  const priority = priorityNumber[message.priority];
  const last = ordered.get(shard);
  if (last?.routeId === routeId && last.priority === priority) {
    last.messages.push(message);
    last.timed ||= timed;
    return;
  }
  const chunk = { routeId, priority, timed, shard, messages: [message] };
  ordered.set(shard, chunk);
  all.push(chunk);
}

const noPins: ParsedMessage['templates'] = undefined;

function areReservedFor(chunks: readonly ChunkMessages[], reservedIds: readonly string[]): boolean {
  return (
    chunks.length === reservedIds.length &&
    chunks.every(({ messages }, chunk) => parseId(reservedIds[chunk]!).offset === messages.length - 1)
  );
}

/** When the first of them is to be sent; null for at once. */
function dueAtMsOf(messages: readonly ParsedMessage[]): number | null {
  const times = messages.map(({ scheduledAtMs }) => scheduledAtMs ?? Number.NEGATIVE_INFINITY);
  const firstMs = Math.min(...times);
  return Number.isFinite(firstMs) ? firstMs : null;
}
