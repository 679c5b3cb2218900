import fc from 'fast-check';
import { expect, test } from 'vitest';
import { divide, divideWhole } from './divide.ts';

const needs = fc.array(fc.oneof(fc.constant(0), fc.double({ min: 0, max: 5_000, noNaN: true })), {
  minLength: 1,
  maxLength: 20,
});

function sum(parts: readonly number[]): number {
  return parts.reduce((total, part) => total + part, 0);
}

test('everything is given away, nobody gets less than the least, and nobody in need less than an equal part', () => {
  fc.assert(
    fc.property(needs, fc.double({ min: 1, max: 10_000, noNaN: true }), (wanted, total) => {
      const least = (total / wanted.length) * 0.1;
      const parts = divide(total, wanted, least);
      expect(sum(parts)).toBeCloseTo(total, 6);
      const equal = total / wanted.length;
      parts.forEach((part, index) => {
        expect(part).toBeGreaterThanOrEqual(least - 1e-9);
        // Those who need little leave theirs to the others, but for the least that they keep.
        expect(part).toBeGreaterThanOrEqual(Math.min(wanted[index]!, equal * 0.9) - 1e-6);
      });
    }),
  );
});

test('who needs less gets it whole, the others share the rest equally', () => {
  expect(divide(100, [10, 500, 500])).toEqual([10, 45, 45]);
  expect(divide(100, [0, 1, 1_000], 10)).toEqual([10, 10, 80]);
  expect(divide(100, [10, 10])).toEqual([50, 50]);
});

test('whole parts add up, differ from exact ones by less than one, and none is idle while there are enough', () => {
  fc.assert(
    fc.property(needs, fc.integer({ min: 1, max: 1_000 }), (wanted, total) => {
      const parts = divideWhole(total, wanted);
      expect(parts.every(Number.isInteger)).toBe(true);
      const wanting = wanted.filter((need) => need > 0).length;
      if (total >= wanted.length) {
        expect(sum(parts)).toBe(total);
        expect(Math.min(...parts)).toBeGreaterThanOrEqual(1);
        const exact = divide(total, wanted, 1);
        parts.forEach((part, index) => void expect(Math.abs(part - exact[index]!)).toBeLessThan(1));
      } else {
        expect(sum(parts)).toBe(total);
        const served = parts.filter((part, index) => part > 0 && wanted[index]! > 0).length;
        expect(served).toBe(Math.min(wanting, total));
      }
    }),
  );
});
