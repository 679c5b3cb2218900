import { encodeChunk, markedCodec } from '../message/chunk-codec.ts';
import { limits } from '../message/limits.ts';
import { encodeOrdering } from '../message/ordering.ts';
import { ownTagsOfFrame } from '../message/statistics/own-tags.ts';
import { arePinsCompatible, mergedPins, type TemplatePins } from '../message/templates/pins.ts';
import type { IdMint } from '../store/id-mint.ts';
import type { ChunkRow } from '../store/intake/insert-chunks.ts';
import { bloomLookup } from './bloom-lookup.ts';
import type { MessageGroup } from './message-group.ts';

/** Messages that become one chunk by the next commit. Until then others of their lane may join. */
export interface OpenChunk {
  id: string;
  accountId: number;
  routeId: number;
  priority: number;
  /** A test key has sent them. */
  test: boolean;
  /** Its id was reserved for one request: no other joins. */
  sealed: boolean;
  listKey: bigint | undefined;
  lines: Buffer[];
  parts: number[];
  bytes: number;
  toHashes: bigint[];
  refHashes: Array<bigint | null>;
  timed: boolean;
  dueAtMs: number | null;
  templates: TemplatePins | undefined;
  /** Of the ordering keys, where the messages have them. */
  hashes: number[] | undefined;
}

/** Adds a group to the chunk among those of its commit that it fits, or to another behind them. Tells its place there. */
export function placeIn(
  gathered: { shard: number; chunks: OpenChunk[] },
  { group, mint }: { group: MessageGroup; mint: IdMint },
): { chunk: OpenChunk; offset: number } {
  const bytes = group.lines.reduce((sum, line) => sum + line.length + 1, 0);
  const fits = (chunk: OpenChunk) =>
    !chunk.sealed &&
    (chunk.hashes !== undefined) === (group.ordering !== undefined) &&
    chunk.accountId === group.accountId &&
    chunk.routeId === group.routeId &&
    chunk.priority === group.priority &&
    chunk.test === group.test &&
    // What is due at another time would have the chunk loaded once more.
    chunk.dueAtMs === group.dueAtMs &&
    arePinsCompatible(chunk.templates, group.templates) &&
    chunk.lines.length + group.lines.length <= limits.chunkMessagesMax &&
    chunk.bytes + bytes <= limits.slotBytesMax;
  // Messages with ordering keys join the last chunk of their account, or make another behind it.
  const last = (chunk: OpenChunk) => chunk.hashes !== undefined && chunk.accountId === group.accountId;
  let chunk = group.ordering ? gathered.chunks.findLast(last) : gathered.chunks.findLast(fits);
  if (group.chunkId || (chunk && !fits(chunk))) chunk = undefined;
  if (!chunk) {
    chunk = {
      id: group.chunkId ?? mint.mint(gathered.shard),
      accountId: group.accountId,
      routeId: group.routeId,
      priority: group.priority,
      test: group.test,
      sealed: group.chunkId !== undefined,
      listKey: group.listKey,
      lines: [],
      parts: [],
      bytes: 0,
      toHashes: [],
      refHashes: [],
      timed: false,
      dueAtMs: group.dueAtMs,
      templates: undefined,
      hashes: group.ordering && [],
    };
    gathered.chunks.push(chunk);
  }
  const offset = chunk.lines.length;
  chunk.lines.push(...group.lines);
  chunk.parts.push(...group.parts);
  chunk.bytes += bytes;
  chunk.toHashes.push(...group.toHashes);
  chunk.refHashes.push(...group.refHashes);
  chunk.timed ||= group.timed;
  chunk.templates = mergedPins(chunk.templates, group.templates);
  chunk.hashes?.push(...group.ordering!.hashes);
  return { chunk, offset };
}

/** The row of the first `count` messages. */
export function chunkRow(chunk: OpenChunk, count = chunk.lines.length): ChunkRow {
  const lines = chunk.lines.slice(0, count);
  const frame = Buffer.concat(lines.flatMap((line, index) => (index === 0 ? [line] : [lineFeed, line])));
  const encoded = encodeChunk(frame);
  const own = ownTagsOfFrame(frame);
  const tags = own && { tags: own.counts, tagged: true };
  const { id, accountId, routeId, priority, test, timed, templates } = chunk;
  const { payload } = encoded;
  const codec = markedCodec(encoded.codec, { templated: templates !== undefined, test });
  const dueAt = chunk.dueAtMs === null ? null : new Date(chunk.dueAtMs);
  const toHashes = chunk.toHashes.slice(0, count);
  const refHashes = chunk.refHashes.slice(0, count).filter((hash) => hash !== null);
  const lookup =
    count < limits.filterMessagesMin
      ? { hashes: [...toHashes, ...refHashes] }
      : bloomLookup({ toHashes, refHashes });
  const ordering = chunk.hashes && { ordering: encodeOrdering(chunk.hashes.slice(0, count)) };
  const listed = chunk.listKey !== undefined && { listKey: chunk.listKey };
  const row = { id, accountId, routeId, priority, count, codec, payload, timed, dueAt, lookup };
  return { ...row, ...ordering, ...listed, ...tags, ...(templates && { templates }) };
}

/** The same row, made once, for the same count. */
export function rowOnce(chunk: OpenChunk): (count: number) => ChunkRow {
  let made: ChunkRow | undefined;
  return (count) => {
    if (made?.count !== count) made = chunkRow(chunk, count);
    return made;
  };
}

const lineFeed = Buffer.from('\n');
