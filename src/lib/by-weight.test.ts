import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { byWeight } from './by-weight.ts';

describe('cutting by weight', () => {
  test('keeps every item in order, and no run of several weighs more than it may', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 150 })), (items) => {
        const runs = [...byWeight(items, { weight: (item) => item, max: 100 })];
        expect(runs.flat()).toEqual(items);
        for (const run of runs) {
          expect(run.length).toBeGreaterThan(0);
          if (run.length > 1) expect(run.reduce((sum, item) => sum + item)).toBeLessThanOrEqual(100);
        }
      }),
    );
  });
});
