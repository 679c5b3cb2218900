import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addToBitmap,
  bitmapOf,
  countInBitmap,
  eachOffset,
  inBitmap,
  offsetsOf,
  rankInBitmap,
  removeFromBitmap,
} from './bitmap.ts';
import { limits } from './limits.ts';

const chunk = fc.integer({ min: 1, max: limits.chunkMessagesMax }).chain((count) =>
  fc.record({
    count: fc.constant(count),
    offsets: fc.uniqueArray(fc.integer({ min: 0, max: count - 1 }), { maxLength: 200 }),
  }),
);

const ascending = (a: number, b: number) => a - b;

describe('a bitmap', () => {
  test('gives back exactly the offsets that it was made of, in order', () => {
    fc.assert(
      fc.property(chunk, ({ count, offsets }) => {
        const bitmap = bitmapOf(count, offsets);
        expect(offsetsOf(bitmap, count)).toEqual([...offsets].sort(ascending));
        expect(countInBitmap(bitmap, count)).toBe(offsets.length);
      }),
    );
  });

  test('ranks an offset by how many lie below it', () => {
    fc.assert(
      fc.property(chunk, ({ count, offsets }) => {
        const bitmap = bitmapOf(count, offsets);
        const sorted = [...offsets].sort(ascending);
        sorted.forEach((offset, rank) => {
          expect(rankInBitmap(bitmap, offset)).toBe(rank);
        });
      }),
    );
  });

  test('takes offsets in and out without touching the others', () => {
    fc.assert(
      fc.property(chunk, fc.nat(), ({ count, offsets }, seed) => {
        const offset = seed % count;
        const bitmap = bitmapOf(count, offsets);
        addToBitmap(bitmap, offset);
        expect(inBitmap(bitmap, offset)).toBe(true);
        removeFromBitmap(bitmap, offset);
        expect(inBitmap(bitmap, offset)).toBe(false);
        const others = offsets.filter((other) => other !== offset).sort(ascending);
        expect(offsetsOf(bitmap, count)).toEqual(others);
      }),
    );
  });

  test('numbers its bits as get_bit does: bit 0 of byte 0 is offset 0', () => {
    expect([...bitmapOf(12, [0, 3, 8])]).toEqual([0b0000_1001, 0b0000_0001]);
  });

  test('stands for every offset when it is null', () => {
    expect(offsetsOf(null, 3)).toEqual([0, 1, 2]);
    expect(countInBitmap(null, 3)).toBe(3);
    expect(rankInBitmap(null, 2)).toBe(2);
    expect(inBitmap(null, 999)).toBe(true);
  });

  test('ignores bits past the count and reads missing bytes as zeros', () => {
    expect(offsetsOf(Uint8Array.of(0xff, 0xff), 9)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(offsetsOf(Uint8Array.of(0x02), 1000)).toEqual([1]);
    expect(inBitmap(Uint8Array.of(0xff), 8)).toBe(false);
    const visited: number[] = [];
    eachOffset(new Uint8Array(), 8, (offset) => visited.push(offset));
    expect(visited).toEqual([]);
  });

  test('refuses an offset outside of the chunk', () => {
    expect(() => bitmapOf(8, [8])).toThrow(RangeError);
  });
});
