import { expect, it } from 'vitest';
import { mayNamePerson, withoutPersons } from './may-name-person.ts';

it.each<[string, string]>([
  ['the number +31687654321 is blocked', 'the number (…) is blocked'],
  ['31687654321', '(…)'],
  ['call 06-87 65 43 21, or (0)6/8765.4321', 'call (…), or ((…)'],
  ['E_8765_4321', 'E_(…)'],
  ['{"error":"ada.l@example.com is unknown","code":5}', '{"error":"(…) is unknown","code":5}'],
  ['to=ada%40example.com&x=1', '(…)'],
  ['"http:\\/\\/hooks.example\\/ada" and https://hooks.example/b?c=d', '"(…)" and (…)'],
])('may be a person: %s', (text, without) => {
  expect(mayNamePerson(text)).toBe(true);
  expect(withoutPersons(text)).toBe(without);
});

it.each(['', 'HTTP 400: number 12 of 500 is not valid', 'error 30007', 'slow_down', 'x: y / z // 1.2.3'])(
  'is no person: %s',
  (text) => {
    expect(mayNamePerson(text)).toBe(false);
    expect(withoutPersons(text)).toBe(text);
  },
);
