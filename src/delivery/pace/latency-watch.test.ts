import { expect, test } from 'vitest';
import { LatencyWatch } from './latency-watch.ts';

function answers(
  watch: LatencyWatch,
  of: { from: number; count: number; everyMs: number; latencyMs: number; messages?: number },
) {
  let risen = 0;
  for (let n = 0; n < of.count; n++) {
    const { latencyMs, messages = 1 } = of;
    if (watch.note({ messages, latencyMs, nowMs: of.from + n * of.everyMs })) risen++;
  }
  return risen;
}

test('a provider that becomes slower is noticed within seconds, and not once that is its usual pace', () => {
  const watch = new LatencyWatch();
  expect(answers(watch, { from: 0, count: 1_000, everyMs: 10, latencyMs: 50 })).toBe(0);
  expect(answers(watch, { from: 10_000, count: 300, everyMs: 10, latencyMs: 500 })).toBeGreaterThan(200);
  answers(watch, { from: 13_000, count: 12_000, everyMs: 10, latencyMs: 500 });
  expect(answers(watch, { from: 133_000, count: 100, everyMs: 10, latencyMs: 500 })).toBe(0);
});

test('larger requests, a single late answer and a few milliseconds more are no news', () => {
  const watch = new LatencyWatch();
  answers(watch, { from: 0, count: 1_000, everyMs: 10, latencyMs: 5 });
  expect(answers(watch, { from: 10_000, count: 100, everyMs: 10, latencyMs: 400, messages: 500 })).toBe(0);
  expect(answers(watch, { from: 11_000, count: 1, everyMs: 10, latencyMs: 2_000 })).toBe(0);
  expect(answers(watch, { from: 11_010, count: 500, everyMs: 10, latencyMs: 60 })).toBe(0);
});
