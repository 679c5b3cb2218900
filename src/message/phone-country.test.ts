import { expect, test } from 'vitest';
import { callingCountryOf } from './phone-country.ts';

test('a number tells its country and its code', () => {
  expect(callingCountryOf('+31612345678')).toEqual({ name: 'Netherlands', prefix: 31 });
  expect(callingCountryOf('+12025550123')).toEqual({ name: 'United States', prefix: 1 });
  expect(callingCountryOf('+16135550123')).toEqual({ name: 'Canada', prefix: 1 });
  expect(callingCountryOf('+447400123456')).toEqual({ name: 'United Kingdom', prefix: 44 });
});

test('a code that nobody has belongs nowhere', () => {
  expect(callingCountryOf('+999123456789')).toBeUndefined();
});
