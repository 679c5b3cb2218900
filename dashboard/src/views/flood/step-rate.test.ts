import { expect, test } from 'vitest';
import { stepRate } from './step-rate.ts';

const of = { step: 'minute', asOf: '2026-11-29T10:04:20.000Z' } as const;

test.each([
  ['2026-11-29T10:02:00.000Z', 10],
  ['2026-11-29T10:03:00.000Z', 10],
  ['2026-11-29T10:04:00.000Z', 30],
  ['2026-11-29T10:05:00.000Z', null],
])('600 messages in the minute of %s are %s a second, as of twenty seconds past 10:04', (at, rate) => {
  expect(stepRate(600, { ...of, at })).toBe(rate);
});

test('of a step that has just begun, or where nothing is known, there is no rate', () => {
  expect(stepRate(9, { ...of, at: '2026-11-29T10:04:17.000Z' })).toBeNull();
  expect(stepRate(0, { ...of, asOf: null, at: '2026-11-29T10:00:00.000Z' })).toBeNull();
});
