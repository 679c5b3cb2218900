import { expect, it } from 'vitest';
import { keptForm } from './kept-form.ts';

it.each([
  ['a number as it is kept', '+31612345678', undefined, '+31612345678'],
  ['a plus that arrived as a space', ' 31612345678', undefined, '+31612345678'],
  ['a number as people write it', '+31 (0)6 1234-5678', undefined, '+31612345678'],
  ['a number as its country dials it', '0612345678', 'NL', '+31612345678'],
  ['a number without its plus', '31612345678', undefined, '+31612345678'],
  ["a number without its plus, of the account's country", '31612345678', 'NL', '+31612345678'],
  ['what may be two numbers', '491701234567', 'DE', '+491701234567'],
  ['digits that are no number', '31', undefined, '31'],
  ['an address', 'Ada@EXAMPLE.com', undefined, 'Ada@example.com'],
  ['an address whose plus arrived as a space', 'ada news@example.com', undefined, 'ada+news@example.com'],
  ['the name of a webhook', 'billing', undefined, 'billing'],
] as const)('finds a recipient by %s', (_, given, country, kept) => {
  expect(keptForm(given, country)).toBe(kept);
});
