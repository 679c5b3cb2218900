import { expect, test } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import type { Queryable } from '../database.ts';
import { createWalEnd } from './wal-end.ts';

/** A primary whose log ends at the number of questions that reached it; each is answered when it is let go. */
function countingPrimary() {
  const waiting: (() => void)[] = [];
  let asked = 0;
  const primary: Queryable = {
    async query() {
      const position = `0/${(++asked).toString(16)}`;
      await new Promise<void>((resolve) => waiting.push(resolve));
      return { rows: [{ position, timeline: 1 }], rowCount: 1 } as never;
    },
  };
  return { primary, asked: () => asked, letGo: () => waiting.shift()?.() };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('writes that end in one turn share a look-up, and one that ends during it gets the next', async () => {
  const { primary, asked, letGo } = countingPrimary();
  const { next } = createWalEnd({ primary, clock: systemClock });
  const together = [next(), next(), next()];
  await turn();
  await turn();
  expect(asked()).toBe(1);
  const during = [next(), next()];
  await turn();
  await turn();
  expect(asked()).toBe(1);
  letGo();
  expect(await Promise.all(together)).toEqual(Array(3).fill({ timeline: 1, position: 1n }));
  await turn();
  letGo();
  expect(await Promise.all(during)).toEqual(Array(2).fill({ timeline: 1, position: 2n }));
});

test('a primary that does not tell leaves the place unknown, and the write is answered', async () => {
  const { primary } = countingPrimary();
  expect(await createWalEnd({ primary, clock: systemClock }).next()).toBeUndefined();
  const failing: Queryable = { query: () => Promise.reject(new Error('away')) };
  expect(await createWalEnd({ primary: failing, clock: systemClock }).next()).toBeUndefined();
});
