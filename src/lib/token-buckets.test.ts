import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemClock } from './clock.ts';
import { TokenBuckets } from './token-buckets.ts';

let nowMs = 0;
const clock = { ...systemClock, monotonicMs: () => nowMs };

test('no more than the burst and the rate pass in any time, and as many do', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 100 }),
      fc.array(fc.nat({ max: 500 }), { maxLength: 300 }),
      (ratePerSecond, burst, gapsMs) => {
        nowMs = 0;
        const buckets = new TokenBuckets({ clock, bucketsMax: 10 });
        let passed = 0;
        for (const gapMs of gapsMs) {
          nowMs += gapMs;
          const waitMs = buckets.take('a', { ratePerSecond, burst });
          if (waitMs === 0) passed++;
          expect(passed).toBeLessThanOrEqual(burst + (nowMs / 1_000) * ratePerSecond + 1e-6);
          if (waitMs === 0) continue;
          nowMs += waitMs + 1e-6;
          expect(buckets.take('a', { ratePerSecond, burst })).toBe(0);
          passed++;
        }
      },
    ),
  );
});

test('keys do not share, and their number is bounded', () => {
  const buckets = new TokenBuckets({ clock, bucketsMax: 2 });
  const pace = { ratePerSecond: 1, burst: 1 };
  expect(['a', 'b', 'a', 'b'].map((key) => buckets.take(key, pace) === 0)).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(buckets.look('a', pace)).toBeGreaterThan(0);
  buckets.take('c', pace);
  expect(buckets.look('a', pace)).toBe(0);
});
