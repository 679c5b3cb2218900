import { byWeight } from '../lib/by-weight.ts';
import type { ErrorItem } from '../message/error-codes.ts';
import { ProblemError } from '../message/error-codes.ts';
import { priorityNumber } from '../message/fields.ts';
import { limits } from '../message/limits.ts';
import type { GroupCommit } from './group-commit.ts';
import type { ParsedMessage, ParsedMessages } from './parse-messages.ts';

export interface AcceptedMessages {
  messages: { id: string; to: string; state: 'queued' }[];
  errors: ErrorItem[];
}

/** Messages of one request that share a lane and a chunk. */
export interface ChunkMessages {
  routeId: number;
  priority: number;
  messages: ParsedMessage[];
}

/**
 * In order of each lane's first message, so that the same body always gives the same. What a chunk may not hold
 * together is cut into several.
 */
export function chunksOf(messages: readonly ParsedMessage[]): ChunkMessages[] {
  const lanes = new Map<string, ChunkMessages>();
  for (const message of messages) {
    const key = `${message.routeId}:${message.priority}`;
    let lane = lanes.get(key);
    if (!lane) {
      lane = { routeId: message.routeId, priority: priorityNumber[message.priority], messages: [] };
      lanes.set(key, lane);
    }
    lane.messages.push(message);
  }
  const weight = ({ line }: ParsedMessage) => line.length + 1;
  return [...lanes.values()].flatMap((lane) =>
    [...byWeight(lane.messages, { weight, max: limits.slotBytesMax })].map((some) => ({
      ...lane,
      messages: some,
    })),
  );
}

/**
 * Makes the valid messages of a request durable. `chunkIds` are reserved ids, one for each chunk: storing the
 * same messages under them again changes nothing.
 * @throws ProblemError `conflict` when the lanes are no longer those that the ids were reserved for
 */
export async function acceptMessages(
  groupCommit: GroupCommit,
  {
    accountId,
    parsed,
    chunkIds,
  }: { accountId: number; parsed: ParsedMessages; chunkIds?: readonly string[] },
): Promise<AcceptedMessages> {
  const lanes = chunksOf(parsed.messages);
  if (chunkIds && chunkIds.length !== lanes.length) {
    throw new ProblemError(
      'conflict',
      'Routes have changed since this request was first tried, and it is not known what became of it. ' +
        'Look its messages up before sending them under another key.',
    );
  }
  const stored = await Promise.all(
    lanes.map(async ({ routeId, priority, messages }, lane) => {
      const ids = await groupCommit.store({
        accountId,
        routeId,
        priority,
        lines: messages.map(({ line }) => line),
        toHashes: messages.map(({ toHash }) => toHash),
        refHashes: messages.map(({ refHash }) => refHash),
        ...(chunkIds && { chunkId: chunkIds[lane]! }),
      });
      return messages.map(({ index, to }, position) => ({ index, id: ids[position]!, to }));
    }),
  );
  const messages = stored.flat().sort((a, b) => a.index - b.index);
  return {
    messages: messages.map(({ id, to }) => ({ id, to, state: 'queued' as const })),
    errors: parsed.errors,
  };
}
