import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Pace } from './pace.ts';

test('over any time, no more leaves than the rate allows and a tenth of a second on top', () => {
  const steps = fc.array(fc.record({ afterMs: fc.nat(500), wanted: fc.integer({ min: 1, max: 400 }) }), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 5_000 }), (asks, ratePerSecond) => {
      const pace = new Pace(ratePerSecond, 0);
      const sent: { atMs: number; messages: number }[] = [];
      let nowMs = 0;
      for (const { afterMs, wanted } of asks) {
        nowMs += afterMs;
        const messages = Math.min(wanted, pace.allowance(nowMs));
        if (messages === 0) continue;
        pace.take(messages);
        sent.push({ atMs: nowMs, messages });
      }
      for (let from = 0; from < sent.length; from++) {
        let messages = 0;
        for (let to = from; to < sent.length; to++) {
          messages += sent[to]!.messages;
          const allowed = ((sent[to]!.atMs - sent[from]!.atMs) / 1_000) * ratePerSecond;
          expect(messages).toBeLessThanOrEqual(allowed + Math.max(1, ratePerSecond / 10) + 1e-6);
        }
      }
    }),
  );
});

test('after the wait that it names, a message is allowed', () => {
  fc.assert(
    fc.property(fc.double({ min: 0.01, max: 10_000, noNaN: true }), (ratePerSecond) => {
      const pace = new Pace(ratePerSecond, 0);
      const first = pace.allowance(0);
      pace.take(first);
      const waitMs = pace.waitMs(1, 0);
      expect(pace.allowance(waitMs + 0.001)).toBeGreaterThanOrEqual(1);
    }),
  );
});

test('a lowered rate holds at once, and a rate of nothing lets nothing out', () => {
  const pace = new Pace(10_000, 0);
  pace.change(10, 0);
  expect(pace.allowance(0)).toBe(1);
  pace.change(undefined, 0);
  pace.change(10, 0);
  expect(pace.allowance(0)).toBe(0);
  pace.change(0, 0);
  expect(pace.allowance(1_000_000)).toBe(0);
  expect(pace.waitMs(1, 1_000_000)).toBe(Number.POSITIVE_INFINITY);
  pace.change(10, 1_000_000);
  expect(pace.allowance(1_000_000)).toBe(0);
});
