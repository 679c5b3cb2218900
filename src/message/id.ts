import { limits } from './limits.ts';

/**
 * Message, chunk and batch ids are UUIDv7 (RFC 9562, section 5.7) that carry their address:
 *
 * ```
 * tttttttt-tttt-7 s s s -vrrr-rrrrrrrrrooo
 * 48 bits milliseconds | version 7 | 2 random bits, 10 bits shard | variant, 52 random bits | 10 bits offset
 * ```
 *
 * A chunk's id is the id of its first message (offset 0), so a message's chunk is arithmetic. Text is
 * always the canonical lower-case form, whose order is the order of the bits.
 */
export interface IdParts {
  unixMs: number;
  shard: number;
  offset: number;
}

const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** True for canonical text of a UUIDv7; anything else cannot be an id of ours. */
export function isId(text: string): boolean {
  return idPattern.test(text);
}

/** `random` are at least 8 random bytes. */
export function makeChunkId(parts: { unixMs: number; shard: number; random: Uint8Array }): string {
  const { unixMs, shard, random } = parts;
  if (shard < 0 || shard >= limits.shards)
    throw new RangeError(`shard ${shard} is not 0..${limits.shards - 1}`);
  const time = unixMs.toString(16).padStart(12, '0');
  const shardPart = (((random[0]! & 0x03) << 10) | shard).toString(16).padStart(3, '0');
  const variantPart = (0x8000 | ((random[1]! & 0x3f) << 8) | random[2]!).toString(16);
  const high = (((random[3]! << 24) | (random[4]! << 16) | (random[5]! << 8) | random[6]!) >>> 0)
    .toString(16)
    .padStart(8, '0');
  const low = ((random[7]! & 0x3f) << 10).toString(16).padStart(4, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${shardPart}-${variantPart}-${high}${low}`;
}

/** The id of the message at `offset` of a chunk. */
export function messageIdAt(chunkId: string, offset: number): string {
  const tail = (Number.parseInt(chunkId.slice(33), 16) & 0xc00) | offset;
  return chunkId.slice(0, 33) + tail.toString(16).padStart(3, '0');
}

/** The ids of the messages 0..count-1 of a chunk; one string operation each. */
export function messageIds(chunkId: string, count: number): string[] {
  const head = chunkId.slice(0, 33);
  const base = Number.parseInt(chunkId.slice(33), 16) & 0xc00;
  return Array.from({ length: count }, (_, offset) => head + (base | offset).toString(16).padStart(3, '0'));
}

export function chunkIdOf(messageId: string): string {
  return messageIdAt(messageId, 0);
}

export function parseId(id: string): IdParts {
  return { unixMs: unixMsOf(id), shard: shardOf(id), offset: Number.parseInt(id.slice(33), 16) & 0x3ff };
}

export function shardOf(id: string): number {
  return Number.parseInt(id.slice(15, 18), 16) & 0x3ff;
}

export function unixMsOf(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** The smallest UUID of a millisecond: bounds of partitions and of searches by time. */
export function lowestIdAt(unixMs: number): string {
  const time = Math.max(0, Math.floor(unixMs)).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-0000-0000-000000000000`;
}
