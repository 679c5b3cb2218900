import { expect, test } from 'vitest';
import { hash64 } from './hash.ts';

// The first 64 bits of MurmurHash3_x86_128, as murmurhash3js-revisited 3.0.0 computes them.
test.each([
  ['', 0, '0'],
  ['I will not buy this record, it is scratched.', 0, 'a0a9683b25ac5e40'],
  ['a', 2, '7d9c685cb994abb7'],
  ['+31612345678', 2, 'c3cb595a5dd460cc'],
])('hash64 of %j under seed %i never changes', (text, seed, expected) => {
  const bytes = Buffer.from(`<${text}>`);
  const hash = hash64(bytes, { start: 1, end: bytes.length - 1, seed });
  expect(BigInt.asUintN(64, hash).toString(16)).toBe(expected);
});
