import { readUuidWords } from './uuid-words.ts';

/**
 * A digest of a set of UUIDs that does not depend on the order in which they come, so that two processes
 * can compare the millions that each has seen. Every UUID's 128 bits are mixed (the finalizer of
 * MurmurHash3_x86_128: a bijection, so no two UUIDs mix alike), and the two halves are summed modulo 2^64.
 * An id counted twice changes the digest: feed it distinct ids. It finds accidents, not adversaries.
 */
export class SetDigest {
  /** Two 64-bit sums: low word, high word, low word, high word. */
  readonly #sums = new Uint32Array(4);
  readonly #words = new Uint32Array(4);

  /** Throws a RangeError for text that is no UUID. */
  add(uuidText: string): void {
    if (!readUuidWords(uuidText, this.#words)) throw new RangeError('not a UUID');
    this.addWords(this.#words);
  }

  /** The same for a UUID that was read already (`readUuidWords`). */
  addWords(words: Uint32Array): void {
    const total = (words[0]! + words[1]! + words[2]! + words[3]!) | 0;
    const b = mix((words[1]! + total) | 0);
    const c = mix((words[2]! + total) | 0);
    const d = mix((words[3]! + total) | 0);
    const a = (mix(total) + b + c + d) | 0;
    this.#addTo(0, a >>> 0, (a + b) >>> 0);
    this.#addTo(2, (a + c) >>> 0, (a + d) >>> 0);
  }

  /** 32 hexadecimal digits; more may be added after it. */
  toHex(): string {
    return [1, 0, 3, 2].map((n) => this.#sums[n]!.toString(16).padStart(8, '0')).join('');
  }

  #addTo(at: number, low: number, high: number): void {
    const sum = this.#sums[at]! + low;
    this.#sums[at] = sum;
    this.#sums[at + 1] = this.#sums[at + 1]! + high + (sum > 0xffff_ffff ? 1 : 0);
  }
}

function mix(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
