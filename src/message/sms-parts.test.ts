import fc from 'fast-check';
import { expect, test } from 'vitest';
import { countSmsParts, inGsmAlphabet, smsCodingOf } from './sms-parts.ts';

const gsmText = fc.string({
  unit: fc.constantFrom('a', ' ', '\n', '@', 'é', 'Ω', '€', '[', '~', '\f'),
  maxLength: 700,
});
const anyText = fc.string({ unit: fc.constantFrom('a', '€', 'ç', '中', '😀', 'é'), maxLength: 400 });

test('texts at the edges take the parts that the standard gives them', () => {
  const parts = (text: string) => countSmsParts(text, smsCodingOf(text)).parts;
  expect([0, 1, 160, 161, 306, 307].map((length) => parts('a'.repeat(length)))).toEqual([1, 1, 1, 2, 2, 3]);
  expect([1, 70, 71, 134, 135].map((length) => parts('中'.repeat(length)))).toEqual([1, 1, 2, 2, 3]);
  // An escaped character counts twice.
  expect([80, 81].map((length) => parts('€'.repeat(length)))).toEqual([1, 2]);
});

test('no part ends within a character', () => {
  // 153 septets would end between the escape and its second septet.
  expect(countSmsParts(`${'a'.repeat(152)}€${'a'.repeat(152)}`, 'gsm7')).toEqual({ parts: 3, units: 306 });
  // 67 units would end between the halves of the pair.
  expect(countSmsParts(`${'中'.repeat(66)}😀${'中'.repeat(66)}`, 'ucs2')).toEqual({ parts: 3, units: 134 });
});

test('the alphabet has 128 places and ten more behind the escape, and nothing that looks like them', () => {
  const every = Array.from({ length: 0x3000 }, (_, code) => String.fromCharCode(code));
  const inAlphabet = every.filter((character) => smsCodingOf(character) === 'gsm7');
  // One of the 128 is the escape itself.
  expect(inAlphabet).toHaveLength(127 + 10);
  expect(inAlphabet.filter((character) => countSmsParts(character, 'gsm7').units === 2)).toHaveLength(10);
  for (const character of ['ç', '`', '\t', '\u00a0', 'é'.normalize('NFD'), '’']) {
    expect(smsCodingOf(character), character).toBe('ucs2');
  }
});

test('parts hold every character whole, and none is emptier than its next character needs', () => {
  const widths = (text: string, coding: 'gsm7' | 'ucs2') =>
    [...text].map((character) =>
      coding === 'ucs2' ? character.length : '€[~\f'.includes(character) ? 2 : 1,
    );
  fc.assert(
    fc.property(fc.oneof(gsmText, anyText), (text) => {
      const coding = smsCodingOf(text);
      const { parts, units } = countSmsParts(text, coding);
      const [one, each] = coding === 'gsm7' ? [160, 153] : [70, 67];
      expect(units).toBe(widths(text, coding).reduce((sum, width) => sum + width, 0));
      // Each of several but the last lacks one unit at most, for a character of two that did not fit.
      expect(parts).toBeGreaterThanOrEqual(units <= one ? 1 : Math.ceil(units / each));
      expect(parts).toBeLessThanOrEqual(units <= one ? 1 : Math.ceil(units / (each - 1)));
    }),
  );
});

test('a text in the alphabet is left as it is, and any other becomes one of as many characters', () => {
  fc.assert(
    fc.property(gsmText, (text) => {
      expect(inGsmAlphabet(text)).toBe(text);
    }),
  );
  fc.assert(
    fc.property(anyText, (text) => {
      const replaced = inGsmAlphabet(text);
      expect(smsCodingOf(replaced)).toBe('gsm7');
      expect([...replaced]).toHaveLength([...text].length);
    }),
  );
  expect(inGsmAlphabet('price: 5 € — 😀')).toBe('price: 5 € ? ?');
});
