import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoff } from './backoff.ts';

const limits = { minMs: fc.integer({ min: 1, max: 10_000 }), maxMs: fc.integer({ min: 1, max: 10_000_000 }) };

test('a wait is never negative and never above the cap', () => {
  fc.assert(
    fc.property(
      fc.record({
        ...limits,
        attempt: fc.integer({ min: 0, max: 10_000 }),
        draw: fc.double({ min: 0, max: 0.999, noNaN: true }),
      }),
      ({ draw, ...settings }) => {
        const ms = backoff({ ...settings, random: () => draw });
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThanOrEqual(settings.maxMs);
      },
    ),
  );
});

test('the upper bound doubles with every try until the cap', () => {
  const bounds = [1, 2, 3, 4, 5].map((attempt) =>
    backoff({ attempt, minMs: 100, maxMs: 1_000, random: () => 1 }),
  );
  expect(bounds).toEqual([100, 200, 400, 800, 1_000]);
});
