import { expect, test } from 'vitest';
import { turns } from './turns.ts';

test('long work lets others have their turn when it is time, and not before', async () => {
  let nowMs = 0;
  const turn = turns({ monotonicMs: () => nowMs });
  expect(turn()).toBeUndefined();
  nowMs = 20;
  const others = new Promise<string>((resolve) => setImmediate(() => resolve('had their turn')));
  await turn();
  expect(await Promise.race([others, Promise.resolve('wait')])).toBe('had their turn');
  expect(turn()).toBeUndefined();
  nowMs = 40;
  expect(turn()).toBeDefined();
});
