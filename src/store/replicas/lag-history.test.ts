import { expect, test } from 'vitest';
import { createLagHistory } from './lag-history.ts';

const at = (position: number, timeline = 1) => ({ timeline, position: BigInt(position) });

test('a place is as old as the first thing that it lacks', () => {
  const history = createLagHistory();
  history.add(at(100), 1_000);
  history.add(at(200), 1_500);
  history.add(at(300), 2_000);
  expect(history.behindMs(at(300), 9_000)).toBe(0);
  expect(history.behindMs(at(350), 9_000)).toBe(0);
  expect(history.behindMs(at(200), 9_000)).toBe(7_000);
  expect(history.behindMs(at(150), 9_000)).toBe(7_500);
  expect(history.behindMs(at(50), 9_000)).toBe(8_000);
});

test('a log that stands still ages nothing', () => {
  const history = createLagHistory();
  for (let second = 0; second < 60; second++) history.add(at(100), second * 1_000);
  expect(history.behindMs(at(100), 60_000)).toBe(0);
  expect(history.behindMs(at(99), 60_000)).toBe(60_000);
});

test('a place of another timeline has no age', () => {
  const history = createLagHistory();
  expect(history.behindMs(at(100), 0)).toBeUndefined();
  history.add(at(100), 0);
  history.add(at(90, 2), 1_000);
  expect(history.behindMs(at(100), 2_000)).toBeUndefined();
  expect(history.behindMs(at(90, 2), 2_000)).toBe(0);
  expect(history.last()).toEqual(at(90, 2));
});

test('what is remembered is bounded', () => {
  const history = createLagHistory();
  for (let end = 0; end < 2_000; end++) history.add(at(end), end * 500);
  expect(history.behindMs(at(0), 1_000_000)).toBe(1_000_000 - 800 * 500);
});
