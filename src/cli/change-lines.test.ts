import { expect, it } from 'vitest';
import { ChangeLines, linesEveryMs } from './change-lines.ts';

it('a line is due at the first look, then at each change, and never sooner than a while after the one before', () => {
  const lines = new ChangeLines();
  expect(lines.isDue('1 of 9', 0)).toBe(true);
  expect(lines.isDue('2 of 9', linesEveryMs - 1)).toBe(false);
  expect(lines.isDue('2 of 9', linesEveryMs)).toBe(true);
  expect(lines.isDue('2 of 9', 9 * linesEveryMs)).toBe(false);
  expect(lines.isDue('3 of 9', 9 * linesEveryMs)).toBe(true);
  const sooner = new ChangeLines(10);
  expect([sooner.isDue('a', 0), sooner.isDue('b', 9), sooner.isDue('b', 10)]).toEqual([true, false, true]);
});
