import { expect, it } from 'vitest';
import { parseRetryAfter } from './parse-retry-after.ts';

const nowMs = Date.UTC(1994, 10, 6, 8, 49, 0);

it.each([
  ['0', 0],
  [' 120 ', 120_000],
  ['9999999999', 9_999_999_999_000],
  ['Sun, 06 Nov 1994 08:49:37 GMT', 37_000],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 37_000],
  ['Sun Nov  6 08:49:37 1994', 37_000],
  ['Sun, 06 Nov 1994 08:48:37 GMT', 0],
  ['Mon, 06 Nov 2034 08:49:37 GMT', Date.UTC(2034, 10, 6, 8, 49, 37) - nowMs],
])('reads %j', (value, expected) => {
  expect(parseRetryAfter(value, nowMs)).toBe(expected);
});

it.each(['', '-1', '1.5', '1e3', 'soon', '1994-11-06', 'Sun', '12345678901'])(
  'makes nothing of %j',
  (value) => {
    expect(parseRetryAfter(value, nowMs)).toBeUndefined();
  },
);
