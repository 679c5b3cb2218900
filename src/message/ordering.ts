import { hashInto } from '../lib/hash.ts';
import { limits } from './limits.ts';

/** An ordering key as far as it is stored: the rest of the message says it in full. */
export interface OrderingKey {
  /** 32 bits, signed. Two keys that share it are kept in one order: nobody is harmed but by waiting. */
  hash: number;
  /** All messages of the key are stored there, so that one owner sees their order. */
  shard: number;
}

const scratch = new Uint32Array(2);

/**
 * The key of a message of this account. A key's shard must not change while messages of it are unfinished. An account
 * uses few shards, evenly spread, so that the messages of an upload make few chunks. What test keys send has an order of its own: it holds up nothing that is sent in earnest.
 */
export function orderingKey(
  { accountId, test }: { accountId: number; test: boolean },
  { bytes, start, end }: { bytes: Uint8Array; start: number; end: number },
): OrderingKey {
  hashInto(bytes, start, end, accountId | 0, scratch, 0);
  const lane = scratch[0]! % limits.orderingShards;
  const stride = limits.shards / limits.orderingShards;
  const hash = scratch[1]! | 0;
  return { hash: test ? ~hash : hash, shard: (accountId * accountStride + lane * stride) % limits.shards };
}

/** Odd, so that the shards of neighbouring accounts differ. */
const accountStride = 37;

/** The hashes of a chunk's keys as they are stored: four bytes each, little end first. */
export function encodeOrdering(hashes: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * hashes.length);
  const view = new DataView(bytes.buffer);
  for (const [offset, hash] of hashes.entries()) view.setInt32(4 * offset, hash, true);
  return bytes;
}

export function decodeOrdering(bytes: Uint8Array): Int32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int32Array.from({ length: bytes.length >> 2 }, (_, offset) => view.getInt32(4 * offset, true));
}
