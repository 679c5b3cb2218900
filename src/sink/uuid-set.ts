/** Tables that grow each on its own, so that no insertion has to move more than one of them. */
const segments = 256;
const entriesAtFirst = 64;
/** A table holds this share of its slots before it grows by a quarter: 19 to 24 bytes an entry. */
const fillMax = 0.85;
const growth = 1.25;

interface Segment {
  /** Four words a slot; all zero is an empty one. */
  words: Uint32Array;
  slots: number;
  used: number;
}

/** An exact set of UUIDs by their 128 bits, made for many millions: open addressing, linear probing. */
export class UuidSet {
  readonly #segments: Segment[] = Array.from({ length: segments }, () => newSegment(entriesAtFirst));
  #hasNil = false;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** False when the UUID was there already. */
  add(words: Uint32Array): boolean {
    const added = this.#insert(words[0]!, words[1]!, words[2]!, words[3]!);
    if (added) this.#size += 1;
    return added;
  }

  #insert(a: number, b: number, c: number, d: number): boolean {
    if ((a | b | c | d) === 0) {
      const added = !this.#hasNil;
      this.#hasNil = true;
      return added;
    }
    const hash = hashOf(a, b, c, d);
    const segment = this.#segments[hash & (segments - 1)]!;
    const at = findSlot(segment, hash, a, b, c, d);
    if (at < 0) return false;
    put(segment, at, a, b, c, d);
    if (segment.used > segment.slots * fillMax) {
      this.#segments[hash & (segments - 1)] = grown(segment);
    }
    return true;
  }
}

function newSegment(slots: number): Segment {
  return { words: new Uint32Array(slots * 4), slots, used: 0 };
}

function grown(old: Segment): Segment {
  const segment = newSegment(Math.ceil(old.slots * growth));
  const { words } = old;
  for (let at = 0; at < words.length; at += 4) {
    const a = words[at]!;
    const b = words[at + 1]!;
    const c = words[at + 2]!;
    const d = words[at + 3]!;
    if ((a | b | c | d) === 0) continue;
    put(segment, findSlot(segment, hashOf(a, b, c, d), a, b, c, d), a, b, c, d);
  }
  return segment;
}

function put(segment: Segment, at: number, a: number, b: number, c: number, d: number): void {
  const { words } = segment;
  words[at] = a;
  words[at + 1] = b;
  words[at + 2] = c;
  words[at + 3] = d;
  segment.used += 1;
}

/** The index of the empty slot where the UUID belongs, or -1 when it is there. */
function findSlot(segment: Segment, hash: number, a: number, b: number, c: number, d: number): number {
  const { words, slots } = segment;
  // The high bits choose the slot, spread over a number of slots that is no power of two; the low bits chose
  // the segment.
  let at = Math.floor((hash / 0x1_0000_0000) * slots) * 4;
  for (;;) {
    const first = words[at]!;
    if (first === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) return -1;
    if ((first | words[at + 1]! | words[at + 2]! | words[at + 3]!) === 0) return at;
    at += 4;
    if (at === words.length) at = 0;
  }
}

/** UUIDv7s of one millisecond differ in their last words only: every word has to move every bit. */
function hashOf(a: number, b: number, c: number, d: number): number {
  let h = Math.imul(a, 0x9e3779b1) ^ b;
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b) ^ c;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) ^ d;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}
