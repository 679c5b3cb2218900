import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { systemClock } from '../lib/clock.ts';
import { Loop } from './loop.ts';

const hourMs = 3_600_000;

function start(runOnce: () => unknown): { loop: Loop; errors: unknown[] } {
  const errors: unknown[] = [];
  const loop = new Loop({
    everyMs: hourMs,
    clock: systemClock,
    runOnce,
    onError: (error) => errors.push(error),
  });
  return { loop, errors };
}

test('a loop that is woken runs at once, and one that is woken amid a run runs once more', async () => {
  let runs = 0;
  const ends: Array<() => void> = [];
  const { loop } = start(() => {
    runs++;
    return new Promise<void>((resolve) => ends.push(resolve));
  });
  expect(runs).toBe(1);
  loop.wake();
  loop.wake();
  await setImmediate();
  expect(runs).toBe(1);
  ends.shift()!();
  await expect.poll(() => runs).toBe(2);
  ends.shift()!();
  await setImmediate();
  expect(runs).toBe(2);
  loop.wake();
  await expect.poll(() => runs).toBe(3);
  ends.shift()!();
  await loop.stop();
  expect(runs).toBe(3);
});

test('a loop that is stopped in its pause ends at once, and a fault does not end it', async () => {
  let runs = 0;
  const { loop, errors } = start(() => {
    runs++;
    throw new Error('not this time');
  });
  await expect.poll(() => errors.length).toBe(1);
  loop.wake();
  await expect.poll(() => runs).toBe(2);
  await loop.stop();
  expect(runs).toBe(2);
});
