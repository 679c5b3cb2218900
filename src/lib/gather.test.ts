import { expect, test } from 'vitest';
import { gather } from './gather.ts';

test('what is added before the schedule runs is handled together, and what comes then by itself', () => {
  const due: (() => void)[] = [];
  const handled: (readonly number[])[] = [];
  const add = gather<number>(
    (run) => due.push(run),
    (items) => {
      handled.push(items);
      if (items.includes(2)) add(3);
    },
  );
  add(1);
  add(2);
  expect(due).toHaveLength(1);
  due.shift()!();
  due.shift()!();
  expect(handled).toEqual([[1, 2], [3]]);
  expect(due).toEqual([]);
});
