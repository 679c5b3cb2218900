import { beforeEach, expect, test } from 'vitest';
import { pacedLook } from './paced-look.ts';

/** The looks that have begun; each ends when the test says so. */
let looks: { end: () => void; fail: () => void }[];
let pauses: (() => void)[];
let timers: Set<() => void>;

beforeEach(() => {
  looks = [];
  pauses = [];
  timers = new Set();
});

function openLook() {
  return pacedLook({
    look: () =>
      new Promise((resolve, reject) => {
        looks.push({ end: () => resolve(undefined), fail: () => reject(new Error('away')) });
      }),
    pauseMs: 50,
    waitMs: 500,
    clock: {
      sleep: () => new Promise((resolve) => pauses.push(resolve)),
      after(_ms, run) {
        timers.add(run);
        return () => timers.delete(run);
      },
    },
  });
}

/** All that can happen without the test's doing has happened. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

async function ask(look: () => Promise<boolean>) {
  const asked: { answered: boolean; succeeded?: boolean } = { answered: false };
  void look().then((succeeded) => {
    asked.answered = true;
    asked.succeeded = succeeded;
  });
  await settled();
  return asked;
}

test('all who ask at the same moment share one look', async () => {
  const look = openLook();
  const asked = Array.from({ length: 1_000 }, () => look());
  await settled();
  expect(looks).toHaveLength(1);
  looks[0]!.end();
  await Promise.all(asked);
});

test('who asks during a look, or the pause after it, is answered by the one that begins when the pause is over', async () => {
  const look = openLook();
  const first = await ask(look);
  const during = await ask(look);
  looks[0]!.end();
  await settled();
  expect([first.answered, during.answered]).toEqual([true, false]);
  const after = await ask(look);
  expect(looks).toHaveLength(1);
  pauses[0]!();
  await settled();
  expect([looks.length, during.answered, after.answered]).toEqual([2, false, false]);
  looks[1]!.end();
  await settled();
  expect([during.succeeded, after.succeeded]).toEqual([true, true]);
  expect(timers.size).toBe(0);
});

test('a look that fails answers those who wait, and the next one begins after the pause as well', async () => {
  const look = openLook();
  const first = await ask(look);
  looks[0]!.fail();
  await settled();
  expect(first).toEqual({ answered: true, succeeded: false });
  await ask(look);
  expect(looks).toHaveLength(1);
  pauses[0]!();
  await settled();
  expect(looks).toHaveLength(2);
});

test('nobody waits for a look that takes too long, nor begins another beside it; after it looks go on', async () => {
  const look = openLook();
  const first = await ask(look);
  const during = await ask(look);
  for (const run of timers) run();
  await settled();
  const late = await ask(look);
  expect([first.succeeded, during.succeeded, late.succeeded, looks.length]).toEqual([false, false, false, 1]);
  looks[0]!.end();
  await settled();
  pauses[0]!();
  const again = await ask(look);
  expect([looks.length, again.answered]).toEqual([2, false]);
  looks[1]!.end();
  await settled();
  expect(again.succeeded).toBe(true);
});
