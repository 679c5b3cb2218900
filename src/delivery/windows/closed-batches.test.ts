import { expect, test } from 'vitest';
import { ClosedBatches } from './closed-batches.ts';

function closedBatches() {
  const clock = { ms: 1_000 };
  const told: string[][] = [];
  let opened = 0;
  const closed = new ClosedBatches({
    nowMs: () => clock.ms,
    onClosed: (batches) => told.push([...batches]),
    onOpened: () => opened++,
  });
  return { clock, told, closed, opened: () => opened };
}

test('batches that are noted together are told of once, and no more while they are closed', async () => {
  const { told, closed } = closedBatches();
  closed.note('a', 5_000);
  closed.note('b', 6_000);
  closed.note('a', 5_000);
  await Promise.resolve();
  closed.note('b', 6_000);
  await Promise.resolve();
  expect(told).toEqual([['a', 'b']]);
});

test('a batch goes on when its time has come, however the clock got there, and the others do not', () => {
  const { clock, closed, opened } = closedBatches();
  closed.note('a', 5_000);
  closed.note('b', 90_000);
  closed.runOnce();
  expect([closed.has('a'), opened()]).toEqual([true, 0]);
  clock.ms = 5_000;
  closed.runOnce();
  expect([closed.has('a'), closed.has('b'), opened()]).toEqual([false, true, 1]);
  clock.ms = 3_600_000;
  closed.runOnce();
  closed.runOnce();
  expect([closed.has('b'), opened()]).toEqual([false, 2]);
});
