import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addWaits, countOf, parseWaits, percentile, type Waits, waitBucketOf, waitsText } from './waits.ts';

const waitsFrom = (minMs: number) => fc.double({ min: minMs, max: 86_400_000 * 20, noNaN: true });

function waitsOf(times: readonly number[]): Waits {
  const waits: Waits = new Map();
  for (const ms of times) addWaits(waits, new Map([[waitBucketOf(ms), 1]]));
  return waits;
}

test('a percentile differs from the true one by a factor of √2 at most', () => {
  fc.assert(
    fc.property(
      // Up to 1 ms all are in one bucket, whose bounds are no factor apart.
      fc.array(waitsFrom(1.001), { minLength: 1, maxLength: 200 }),
      fc.constantFrom(0.5, 0.95, 0.99),
      (times, part) => {
        const sorted = [...times].sort((a, b) => a - b);
        const exact = sorted[Math.ceil(part * sorted.length) - 1]!;
        const found = percentile(waitsOf(times), part)!;
        expect(found / exact).toBeGreaterThan(Math.SQRT1_2 - 1e-9);
        expect(found / exact).toBeLessThan(Math.SQRT2 + 1e-9);
      },
    ),
  );
});

test('waits that are added in parts, and stored in between, are those of all', () => {
  fc.assert(
    fc.property(fc.array(fc.array(waitsFrom(0), { maxLength: 20 }), { maxLength: 10 }), (parts) => {
      const sum: Waits = new Map();
      const texts = parts.map((part) => waitsText(waitsOf(part)));
      for (const text of texts) addWaits(sum, parseWaits(text));
      expect(parseWaits(texts.filter((text) => text !== '').join(','))).toEqual(sum);
      expect(waitsText(sum)).toBe(waitsText(waitsOf(parts.flat())));
      expect(countOf(sum)).toBe(parts.flat().length);
    }),
  );
});

test('nothing has no percentile', () => {
  expect(percentile(new Map(), 0.5)).toBeNull();
  expect(waitBucketOf(-5)).toBe(0);
  expect(waitBucketOf(Number.POSITIVE_INFINITY)).toBe(62);
});
