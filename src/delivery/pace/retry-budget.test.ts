import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RetryBudget } from './retry-budget.ts';

const random = () => 0.5;

test('while nothing succeeds, attempts stay within 1.1 times first attempts, but for what trickles', () => {
  const events = fc.array(fc.record({ first: fc.nat(500), wanted: fc.nat(2_000), afterMs: fc.nat(100) }), {
    minLength: 1,
    maxLength: 100,
  });
  fc.assert(
    fc.property(events, (outage) => {
      const budget = new RetryBudget(random);
      // What was saved in better times goes with the first failures.
      budget.sent(5_000);
      for (let n = 0; n < 20; n++) budget.failed(0);
      let [first, retries, nowMs] = [0, 0, 0];
      for (const event of outage) {
        nowMs += event.afterMs;
        first += event.first;
        budget.failed(event.first);
        retries += budget.take(event.wanted, { nowMs });
        const trickled = 1 + Math.log2(1 + nowMs / 1_000);
        expect(retries).toBeLessThanOrEqual(first * 0.1 + trickled);
      }
    }),
  );
});

test('with nothing saved one retry goes now and then, less often while nothing succeeds', () => {
  const budget = new RetryBudget(random);
  for (let n = 0; n < 10; n++) budget.failed(0);
  const atMs: number[] = [];
  for (let nowMs = 0; nowMs < 100_000; nowMs += 100) {
    if (budget.take(50, { nowMs }) > 0) atMs.push(nowMs);
  }
  expect(atMs).toEqual([0, 2_000, 6_000, 14_000, 30_000, 60_000, 90_000]);
});

test.each([
  ['nothing', 0],
  ['less than a retry', 4],
])('a retry that ended without being tried leaves its turn to the next one, with %s saved', (_, failures) => {
  const budget = new RetryBudget(random);
  for (let n = 0; n < 10; n++) budget.failed(0);
  budget.failed(failures);
  const atMs: number[] = [];
  for (let nowMs = 0; nowMs < 20_000; nowMs += 500) {
    if (budget.take(1, { nowMs }) === 0) continue;
    atMs.push(nowMs);
    // Of the first ones nothing but their expiry was left to be found.
    if (atMs.length <= 3) budget.giveBack(1);
  }
  expect(atMs).toEqual([0, 500, 1_000, 1_500, 3_500, 7_500, 15_500]);
});

test('messages that are sent make room for retries at once, even where nine of ten attempts fail', () => {
  const budget = new RetryBudget(random);
  for (let n = 0; n < 10; n++) budget.failed(0);
  budget.sent(1);
  expect(budget.take(100, { nowMs: 0 })).toBe(10);
  budget.sent(100);
  expect(budget.take(900, { nowMs: 0 })).toBe(900);
});

test('those that are refused ask again within seconds, a crowd less often', () => {
  const budget = new RetryBudget(random);
  for (let n = 0; n < 10; n++) budget.failed(0);
  budget.take(10, { nowMs: 0 });
  expect(budget.againAtMs(0)).toBeLessThan(1_100);
  budget.take(1_000_000, { nowMs: 0 });
  expect(budget.againAtMs(0)).toBeGreaterThan(10_000);
  expect(budget.againAtMs(0)).toBeLessThanOrEqual(30_000);
});
