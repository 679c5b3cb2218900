import { expect, test } from 'vitest';
import { systemClock } from '../lib/clock.ts';
import { watchLoop } from './loop-watch.ts';

test('a thread is behind from a second after its timer was due, until that has come', () => {
  let nowMs = 0;
  let due: { atMs: number; run: () => void } | undefined;
  const watch = watchLoop({
    ...systemClock,
    monotonicMs: () => nowMs,
    after(ms, run) {
      due = { atMs: nowMs + ms, run };
      return () => {
        due = undefined;
      };
    },
  });
  expect(due?.atMs).toBe(100);
  nowMs = 1_100;
  expect(watch.isBehind()).toBe(false);
  nowMs = 1_101;
  expect(watch.isBehind()).toBe(true);
  due!.run();
  expect(watch.isBehind()).toBe(false);
  watch.stop();
  expect(due).toBeUndefined();
});
