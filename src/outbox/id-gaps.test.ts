import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IdGaps } from './id-gaps.ts';

const idMax = 500;
const ids = fc.uniqueArray(fc.integer({ min: 1, max: idMax }), { maxLength: 200 });

test('an id that was not seen is always asked for: in a gap, or behind the last one', () => {
  fc.assert(
    fc.property(ids, fc.integer({ min: 1, max: 50 }), (order, size) => {
      const gaps = new IdGaps();
      const seen = new Set<number>();
      const missed: number[] = [];
      for (let at = 0; at < order.length; at += size) {
        const some = order.slice(at, at + size).sort((a, b) => a - b);
        gaps.saw(some);
        for (const id of some) seen.add(id);
        // One look at the end of all: thousands of them take long.
        for (let id = 1; id <= idMax + 1; id++) if (!seen.has(id) && !isAskedFor(gaps, id)) missed.push(id);
      }
      expect(missed).toEqual([]);
    }),
    { numRuns: 50 },
  );
});

test('an id that was seen is not asked for again, as long as the gaps are few', () => {
  fc.assert(
    fc.property(ids, (order) => {
      const gaps = new IdGaps();
      for (const id of order) gaps.saw([id]);
      for (const id of order) expect(isAskedFor(gaps, id)).toBe(false);
    }),
    { numRuns: 50 },
  );
});

test('ranges are of rising ids, do not touch, and are not more than a read bears', () => {
  const gaps = new IdGaps();
  for (let id = 2; id <= 4_000; id += 2) gaps.saw([id]);
  expect(gaps.ranges.length).toBeLessThanOrEqual(500);
  for (const [index, [first, last]] of gaps.ranges.entries()) {
    expect(first).toBeLessThanOrEqual(last);
    if (index > 0) expect(first).toBeGreaterThan(gaps.ranges[index - 1]![1] + 1);
  }
  for (let id = 1; id <= 4_001; id += 2) expect(isAskedFor(gaps, id)).toBe(true);
});

test('a settled gap is not asked for, and those above it still are', () => {
  const gaps = new IdGaps();
  gaps.saw([5, 9]);
  gaps.settle(7);
  expect(gaps.ranges).toEqual([[8, 8]]);
  expect(gaps.after).toBe(9);
});

function isAskedFor({ after, ranges }: IdGaps, id: number): boolean {
  return id > after || ranges.some(([first, last]) => first <= id && id <= last);
}
