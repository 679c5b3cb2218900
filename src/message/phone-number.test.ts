import fc from 'fast-check';
import { getCountries, getCountryCallingCode, parsePhoneNumberFromString } from 'libphonenumber-js/min';
import { describe, expect, test } from 'vitest';
import { isE164, isPhoneCountry, isPlainPhone, normalisePhone, type PhoneCountry } from './phone-number.ts';

const country = fc.constantFrom(...getCountries());
const digits = fc.stringMatching(/^\d{3,14}$/);
/** Numbers as people and lists write them, most of them of the right country. */
const written = fc.tuple(country, digits, fc.constantFrom('+', '00', '011', '')).chain(([of, body, way]) => {
  const code = way === '' ? '' : getCountryCallingCode(of);
  const trunk = fc.constantFrom('', '0', '(0)', '8', '1');
  const between = fc.constantFrom('', ' ', '-', '.', '\u00a0', '\u2011');
  return fc.record({
    text: fc
      .tuple(trunk, between)
      .map(([zero, mark]) => `${way}${code}${mark}${zero}${mark}${body.slice(0, 3)}${mark}${body.slice(3)}`),
    country: fc.constantFrom<PhoneCountry | undefined>(of, undefined, 'NL', 'US', 'IT'),
  });
});

test.each<[string, PhoneCountry | undefined, string]>([
  ['+31612345678', undefined, '+31612345678'],
  ['+31 (0)6 1234-5678', undefined, '+31612345678'],
  ['+310612345678', undefined, '+31612345678'],
  ['0031612345678', undefined, '+31612345678'],
  ['00 31 6.12.34.56.78', 'NL', '+31612345678'],
  ['0031 6 12345678', 'US', '+31612345678'],
  ['011 31 6 12345678', 'US', '+31612345678'],
  ['06 12345678', 'NL', '+31612345678'],
  ['(212) 555-1234', 'US', '+12125551234'],
  ['1-212-555-1234', 'US', '+12125551234'],
  ['+1 1 212 555 1234', undefined, '+12125551234'],
  ['8 912 345-67-89', 'RU', '+79123456789'],
  ['06 1234 5678', 'IT', '+390612345678'],
  ['+39 06 1234 5678', undefined, '+390612345678'],
  ['+225 07 12 34 56 78', undefined, '+2250712345678'],
  ['011 15 1234 5678', 'AR', '+5491112345678'],
  ['\u202a+31 6\u00a01234\u20115678\u202c', undefined, '+31612345678'],
  ['\uff0b\uff13\uff11 6 12345678', undefined, '+31612345678'],
  ['\u0660\u0665\u0660 \u0661\u0662\u0663 \u0664\u0665\u0666\u0667', 'SA', '+966501234567'],
  // Of its own code a country may have area codes and mobile numbers.
  ['391 234 5678', 'IT', '+393912345678'],
  ['9198765432', 'IN', '+919198765432'],
  ['55 91234-5678', 'BR', '+5555912345678'],
  ['47 12 34 56', 'NO', '+4747123456'],
  ['481234567', 'PL', '+48481234567'],
  ['04917 123456', 'DE', '+494917123456'],
  ['49 30 12345678', 'DE', '+493012345678'],
  // A code that no country has yet: the library is not certain.
  ['+210 612 345 678', undefined, '+210612345678'],
])('%j, dialled in %s, is %s', (text, of, number) => {
  expect(normalisePhone(text, of)).toEqual({ to: number });
});

test.each<[string, PhoneCountry | undefined, RegExp]>([
  ['06 12345678', undefined, /does not tell its country: .*"defaultCountry"/],
  ['31612345678', undefined, /does not tell its country/],
  ['12', 'NL', /no number that is dialled in NL/],
  ['491701234567', 'DE', /may be \+491701234567 or \+49491701234567: write it with "\+"/],
  ['49 171 2345678', 'DE', /may be \+491712345678 or \+49491712345678/],
  ['+31612', undefined, /too few digits for a telephone number of \+31/],
  ['+1 555 1234', undefined, /too few digits for a telephone number of \+1/],
  ['+31 6 1234 5678 9012', undefined, /too many digits for a telephone number of \+31/],
  ['+310 0 612345678', undefined, /telephone number/],
  ['+31 6 1234 5678 ext. 9', undefined, /must be a telephone number/],
  ['tel:+31612345678', undefined, /must be a telephone number/],
  ['3.16E+10', 'NL', /must be a telephone number/],
  ['+', undefined, /must be a telephone number/],
  ['', 'NL', /must be a telephone number/],
  ['+0031612345678', undefined, /must be a telephone number/],
])('%j, dialled in %s, is refused: %s', (text, of, problem) => {
  expect(normalisePhone(text, of)).toEqual({ problem: expect.stringMatching(problem) });
});

describe('a number that is taken', () => {
  test('is E.164, and stays as it is, wherever it is dialled', () => {
    let taken = 0;
    fc.assert(
      fc.property(written, country, ({ text, country: of }, elsewhere) => {
        const first = normalisePhone(text, of);
        if ('problem' in first) return;
        taken++;
        const bytes = Buffer.from(first.to);
        expect(isE164(bytes, 0, bytes.length)).toBe(true);
        for (const other of [of, undefined, elsewhere])
          expect(normalisePhone(first.to, other)).toEqual(first);
      }),
      { numRuns: 5_000 },
    );
    expect(taken).toBeGreaterThan(500);
  });

  test('has as many digits as the library finds possible', () => {
    fc.assert(
      fc.property(written, ({ text, country: of }) => {
        const taken = normalisePhone(text, of);
        if ('to' in taken) expect(parsePhoneNumberFromString(taken.to)?.isPossible() ?? true).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });

  test('is the same however it is divided', () => {
    fc.assert(
      fc.property(written, fc.array(fc.nat(20)), ({ text, country: of }, places) => {
        const divided = places.reduce((so, at) => `${so.slice(0, at)} ${so.slice(at)}`, text);
        expect(normalisePhone(divided, of)).toEqual(normalisePhone(text, of));
      }),
    );
  });
});

test('a number that needs no look at the library is one that the library leaves as it is', () => {
  let plain = 0;
  const number = fc.tuple(country, digits).map(([of, body]) => `+${getCountryCallingCode(of)}${body}`);
  fc.assert(
    fc.property(number, (text) => {
      const bytes = Buffer.from(`x${text}x`);
      if (!isPlainPhone(bytes, 1, bytes.length - 1)) return;
      plain++;
      expect(parsePhoneNumberFromString(text)?.isPossible()).toBe(true);
      expect(normalisePhone(text)).toEqual({ to: text });
    }),
    { numRuns: 5_000 },
  );
  expect(plain).toBeGreaterThan(200);
});

test('a country is a code of ISO 3166-1 in capitals', () => {
  expect(['NL', 'US', 'XK', 'nl', 'XX', 'UK', 'constructor', ''].map(isPhoneCountry)).toEqual([
    ...[true, true, true, false, false, false, false, false],
  ]);
});
