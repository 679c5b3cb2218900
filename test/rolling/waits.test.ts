import { expect, test } from 'vitest';
import { waitsOf } from './waits.ts';

test('an arrival of what nobody was told was accepted spoils no figure', () => {
  const arrivals = [
    { id: 'a', at: 10 },
    { id: 'unanswered', at: 20 },
    { id: 'b', at: 40 },
  ];
  const dueAt = new Map([
    ['a', 5],
    ['b', 10],
  ]);
  expect(waitsOf(arrivals, dueAt)).toMatchObject({ waitsMs: { longest: 30 }, gapsMs: { longest: 20 } });
});

test('where nothing arrived the wait has no end', () => {
  expect(waitsOf([], new Map()).waitsMs.p99).toBe(Number.POSITIVE_INFINITY);
});
