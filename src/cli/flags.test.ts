import { expect, test } from 'vitest';
import { accountId, wholeNumber } from './flags.ts';

test.each([
  ['7', 7],
  ['1000', 1_000],
  ['4_000_000', 4_000_000],
  ['4,000,000', 4_000_000],
])('the whole number %s is read', (text, number) => {
  expect(wholeNumber(1)(text)).toBe(number);
});

test.each(['1.5', '1,5', '2_', ',5', '1_00', '1e3', '-1', '', '0', '99999999999999999999'])(
  '%j is not taken for a whole number of 1 or more',
  (text) => {
    expect(() => wholeNumber(1)(text)).toThrow('whole number of 1 or more');
  },
);

test('the id of an account is read as it is shown', () => {
  expect(accountId('12')).toBe('12');
});

// An empty variable of a shell must not become the account of the key, nor a line break another header.
test.each(['', ' ', '-1', '0', '01', '1,2', 'acme', 'a\nb', 'é', '12345678901'])(
  '%j is no id of an account',
  (text) => {
    expect(() => accountId(text)).toThrow('the id of an account');
  },
);
