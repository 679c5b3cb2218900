import { byWeight } from '../lib/by-weight.ts';
import { encodeChunk, markedCodec } from '../message/chunk-codec.ts';
import { limits } from '../message/limits.ts';
import { encodeOrdering } from '../message/ordering.ts';
import { ownTagsOfFrame, tagCounts } from '../message/statistics/own-tags.ts';
import { arePinsCompatible, mergedPins, type TemplatePins } from '../message/templates/pins.ts';
import type { ChunkRow } from '../store/intake/insert-chunks.ts';
import { bloomLookup } from './bloom-lookup.ts';
import type { KeyedLines } from './keyed-lines.ts';

/** One message with an ordering key, on its way to the shard of the key. */
export interface KeyedMessage {
  line: number;
  record: Uint8Array;
  hash: number;
  toHash: bigint;
  refHash: bigint | null;
  timed: boolean;
  dueAtMs: number;
  /** What the templates mean that lines of its slot name. */
  templates: TemplatePins | undefined;
  parts: number;
}

/** Messages by the shards of their keys, in the order of their lines. The slots are in theirs. */
export function keyedByShard(slots: readonly KeyedLines[]): Map<number, KeyedMessage[]> {
  const byShard = new Map<number, KeyedMessage[]>();
  for (const slot of slots) {
    let start = 0;
    let ref = 0;
    for (const [index, end] of slot.ends.entries()) {
      const shard = slot.shards[index]!;
      const message = {
        line: slot.lines[index]!,
        record: slot.records.subarray(start, end),
        hash: slot.hashes[index]!,
        toHash: slot.toHashes[index]!,
        refHash: slot.hasRef[index] === 1 ? slot.refHashes[ref++]! : null,
        timed: slot.timed[index] === 1,
        dueAtMs: slot.dueAtMs[index]!,
        templates: slot.templates,
        parts: slot.parts[index]!,
      };
      const others = byShard.get(shard);
      if (others) others.push(message);
      else byShard.set(shard, [message]);
      start = end;
    }
  }
  return byShard;
}

/** What the chunks of a part have in common. */
export interface PartTarget {
  accountId: number;
  routeId: number;
  priority: number;
  /** A test key has made the batch. */
  test: boolean;
  /** The batch's deliveries wait for its closing. */
  held: boolean;
  /** The batch says what it says by a template. */
  isTemplated: boolean;
  /** Of lines that name no tags. */
  tags?: readonly string[] | undefined;
}

/** Packs messages of one shard into chunks, in their order. `idOf` gives the same id for the same chunk each time. */
export function keyedChunks(
  messages: readonly KeyedMessage[],
  { target, idOf }: { target: PartTarget; idOf: (index: number) => string },
): ChunkRow[] {
  const weight = ({ record }: KeyedMessage) => record.length + 1;
  const chunks: ChunkRow[] = [];
  for (const alike of byTemplates(messages)) {
    for (let start = 0; start < alike.messages.length; start += limits.chunkMessagesMax) {
      const some = alike.messages.slice(start, start + limits.chunkMessagesMax);
      for (const fitting of byWeight(some, { weight, max: limits.slotBytesMax })) {
        const { templates } = alike;
        chunks.push(chunkOf(fitting, { target, templates, id: idOf(chunks.length) }));
      }
    }
  }
  return chunks;
}

/** Cuts them where a template has changed meanwhile: in one chunk a name has one meaning. */
function byTemplates(
  messages: readonly KeyedMessage[],
): { messages: KeyedMessage[]; templates: TemplatePins | undefined }[] {
  const runs: { messages: KeyedMessage[]; templates: TemplatePins | undefined }[] = [];
  for (const message of messages) {
    const last = runs.at(-1);
    if (last && arePinsCompatible(last.templates, message.templates)) {
      last.messages.push(message);
      last.templates = mergedPins(last.templates, message.templates);
    } else runs.push({ messages: [message], templates: message.templates });
  }
  return runs;
}

function chunkOf(
  messages: readonly KeyedMessage[],
  { target, templates, id }: { target: PartTarget; templates: TemplatePins | undefined; id: string },
): ChunkRow {
  const { accountId, routeId, priority, test, held, isTemplated } = target;
  const frame = frameOf(messages);
  const own = ownTagsOfFrame(frame);
  const { codec, payload } = encodeChunk(frame);
  const toHashes = messages.map(({ toHash }) => toHash);
  const refHashes = messages.flatMap(({ refHash }) => (refHash === null ? [] : [refHash]));
  const few = messages.length < limits.filterMessagesMin;
  const dueAtMs = Math.min(...messages.map((message) => message.dueAtMs));
  return {
    ...{ id, accountId, routeId, priority },
    count: messages.length,
    parts: messages.reduce((sum, { parts }) => sum + parts, 0),
    codec: markedCodec(codec, { templated: isTemplated || templates !== undefined, test }),
    payload,
    ...(templates && { templates }),
    timed: messages.some(({ timed }) => timed),
    firstLine: messages[0]!.line,
    dueAt: held ? 'infinity' : Number.isFinite(dueAtMs) ? new Date(dueAtMs) : null,
    lookup: few ? { hashes: [...toHashes, ...refHashes] } : bloomLookup({ toHashes, refHashes }),
    ordering: encodeOrdering(messages.map(({ hash }) => hash)),
    tags: tagCounts(messages.length, { own, ofBatch: target.tags }),
    tagged: own !== undefined,
  };
}

const lineFeed = 0x0a;

function frameOf(messages: readonly KeyedMessage[]): Uint8Array {
  const bytes = messages.reduce((sum, { record }) => sum + record.length + 1, 0);
  const frame = new Uint8Array(bytes).fill(lineFeed);
  let at = 0;
  for (const { record } of messages) {
    frame.set(record, at);
    at += record.length + 1;
  }
  return frame.subarray(0, bytes - 1);
}
