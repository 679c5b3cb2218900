import { hash64, hashInto } from '../lib/hash.ts';
import { fieldLimits } from './field-limits.ts';
import { lookupRecipient } from './recipient.ts';

/**
 * The hash under which messages are found by recipient (`to`) or by the sender's own reference (`ref`). It
 * depends on the account, so that equal recipients of two accounts share nothing, and on the kind, so that
 * one index holds both. Stored filters and index rows hold it: it must never change.
 */
export function lookupHash(kind: 'to' | 'ref', accountId: number, text: string): bigint {
  const bytes = Buffer.from(text);
  const key = kind === 'to' ? lookupRecipient(bytes) : bytes;
  return hash64(key, { start: 0, end: key.length, seed: lookupSeed(kind, accountId) });
}

/**
 * The key of a list of an account's chunks, beside those of their references: the name is longer than any reference, so
 * that no reference is found in its place. Stored rows hold it: it must never change.
 */
export function listKey(list: string, accountId: number): bigint {
  return lookupHash('ref', accountId, `list ${list}`.padEnd(fieldLimits.refCharsMax + 1));
}

/** Hashes of one account's keys, gathered as pairs of 32-bit halves (high, low): the form of `bloomFilter`. */
export class LookupHashes {
  readonly halves: Uint32Array;
  count = 0;
  readonly #kind: 'to' | 'ref';
  readonly #seed: number;

  constructor(kind: 'to' | 'ref', settings: { accountId: number; max: number }) {
    this.halves = new Uint32Array(2 * settings.max);
    this.#kind = kind;
    this.#seed = lookupSeed(kind, settings.accountId);
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    const at = 2 * this.count++;
    if (this.#kind === 'to' && bytes[start] !== 0x2b) {
      const key = lookupRecipient(bytes.subarray(start, end));
      hashInto(key, 0, key.length, this.#seed, this.halves, at);
    } else {
      hashInto(bytes, start, end, this.#seed, this.halves, at);
    }
  }

  toBigInts(): bigint[] {
    const hashes: bigint[] = [];
    for (let at = 0; at < 2 * this.count; at += 2) {
      const high = BigInt(this.halves[at]!);
      hashes.push(BigInt.asIntN(64, (high << 32n) | BigInt(this.halves[at + 1]!)));
    }
    return hashes;
  }
}

/** Account ids are integers from 1 up; past 2^31 seeds would repeat, which only makes hashes comparable. */
function lookupSeed(kind: 'to' | 'ref', accountId: number): number {
  return (accountId * 2 + (kind === 'to' ? 0 : 1)) | 0;
}
