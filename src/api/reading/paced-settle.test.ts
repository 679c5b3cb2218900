import { beforeEach, expect, test } from 'vitest';
import { pacedSettle } from './paced-settle.ts';

let turns: { end: () => void; fail: (error: Error) => void }[];
let pauses: (() => void)[];
let timers: (() => void)[];

beforeEach(() => {
  turns = [];
  pauses = [];
  timers = [];
});

function openSettle() {
  return pacedSettle({
    settle: () => new Promise<void>((end, fail) => turns.push({ end, fail })),
    clock: {
      sleep: () => new Promise((resolve) => pauses.push(resolve)),
      after(_ms, run) {
        timers.push(run);
        return () => {};
      },
    },
  });
}

/** All that can happen without the test's doing has happened. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('however many cursors are unknown, the feed is settled once, and again after a pause', async () => {
  const settle = openSettle();
  const asked = Array.from({ length: 1_000 }, settle);
  await settled();
  expect(turns).toHaveLength(1);
  const during = settle();
  turns[0]!.end();
  await Promise.all(asked);
  await settled();
  expect(turns).toHaveLength(1);
  pauses[0]!();
  await settled();
  expect(turns).toHaveLength(2);
  turns[1]!.end();
  await during;
});

test('who asks is told that it failed, or takes too long, and is not answered as if it had been done', async () => {
  const settle = openSettle();
  const failed = expect(settle()).rejects.toThrow('lock not available');
  await settled();
  turns[0]!.fail(new Error('lock not available'));
  await failed;
  await settled();
  pauses[0]!();
  const late = expect(settle()).rejects.toMatchObject({ code: 'unavailable' });
  await settled();
  timers.at(-1)!();
  await late;
  await expect(settle()).rejects.toMatchObject({ code: 'unavailable' });
  expect(turns).toHaveLength(2);
});
