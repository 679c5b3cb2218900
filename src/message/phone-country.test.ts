import { expect, test } from 'vitest';
import { phoneCountryOf } from './phone-country.ts';

test('a number tells its country and its code', () => {
  expect(phoneCountryOf('+31612345678')).toEqual({ name: 'Netherlands', prefix: 31 });
  expect(phoneCountryOf('+12025550123')).toEqual({ name: 'United States', prefix: 1 });
  expect(phoneCountryOf('+16135550123')).toEqual({ name: 'Canada', prefix: 1 });
  expect(phoneCountryOf('+447400123456')).toEqual({ name: 'United Kingdom', prefix: 44 });
});

test('a code that nobody has belongs nowhere', () => {
  expect(phoneCountryOf('+999123456789')).toBeUndefined();
});
