import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ConsistencyToken, joinTokens, parseToken, tokenLengthMax, tokenText } from './log-position.ts';

const place = fc.record({
  log: fc.stringMatching(/^[a-z0-9-]{1,32}$/),
  timeline: fc.integer({ min: 1, max: 0xffff_ffff }),
  position: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
});
const token: fc.Arbitrary<ConsistencyToken> = fc.oneof(
  fc.constant('unknown' as const),
  fc.uniqueArray(place, { minLength: 1, maxLength: 16, selector: ({ log }) => log }),
);

test('what is written is read as it was', () => {
  fc.assert(
    fc.property(token, (some) => {
      const text = tokenText(some);
      expect(text.length).toBeLessThanOrEqual(tokenLengthMax);
      expect(parseToken(text)).toEqual(some);
    }),
  );
});

test('a token is read as PostgreSQL writes positions', () => {
  expect(parseToken('home:3:16/B374D848')).toEqual([{ log: 'home', timeline: 3, position: 0x16b374d848n }]);
  expect(parseToken('home:3:0/0, west:1:FFFFFFFF/FFFFFFFF')).toHaveLength(2);
});

test('of two places in one log the later one counts, and a newer timeline is later', () => {
  expect(tokenText(parseToken('a:1:0/5,a:1:0/7,a:1:0/6')!)).toBe('a:1:0/7');
  const join = (one: string, other: string) => tokenText(joinTokens(parseToken(one)!, parseToken(other)!));
  expect(join('a:1:0/9,b:1:0/1', 'a:2:0/3')).toBe('a:2:0/3,b:1:0/1');
  expect(join('a:2:0/3', 'a:1:0/9')).toBe('a:2:0/3');
  expect(join('a:1:0/9', 'unknown')).toBe('unknown');
});

test('with `unknown` among several the whole is unknown: a header that joins the tokens of several writes has it so', () => {
  expect(parseToken('unknown,home:1:0/1')).toBe('unknown');
  expect(parseToken('home:1:0/1, unknown')).toBe('unknown');
  expect(parseToken('unknown, unknown')).toBe('unknown');
});

test.each([
  '',
  'home',
  'home:1',
  'home:0:0/1',
  'home:1:1',
  'home:1:0/123456789',
  'home:4294967296:0/1',
  'Home:1:0/1',
  'home:1:0/1,',
  'home:1:0/1;west:1:0/1',
  'unknown,home:1',
  `${'x'.repeat(33)}:1:0/1`,
  Array.from({ length: 17 }, (_, index) => `c${index}:1:0/1`).join(','),
  `home:1:0/1${' '.repeat(tokenLengthMax)}`,
])('%j is no token', (text) => {
  expect(parseToken(text)).toBeUndefined();
});

test('any text is read or refused, never thrown at', () => {
  fc.assert(fc.property(fc.string({ maxLength: 2_000 }), (text) => void parseToken(text)));
});
