import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createSecretBox, isSealed, parseSecretKeys, SecretBoxError } from './secret-box.ts';

const one = randomBytes(32);
const two = randomBytes(32);
const box = createSecretBox([one]);

describe('a secret box', () => {
  test('gives every text back, and only about what it was sealed for', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (text, about) => {
        const sealed = box.seal(text, about);
        expect(isSealed(sealed)).toBe(true);
        expect(box.open(sealed, about)).toBe(text);
        expect(() => box.open(sealed, `${about}x`)).toThrow(SecretBoxError);
      }),
      { numRuns: 300 },
    );
  });

  test('refuses a sealed text in which any one character was changed', () => {
    const sealed = box.seal('{"password":"hunter2"}', 'route/sms');
    for (let at = 0; at < sealed.length; at++) {
      const other = sealed[at] === 'A' ? 'B' : 'A';
      const altered = sealed.slice(0, at) + other + sealed.slice(at + 1);
      let opened: string | undefined;
      try {
        opened = box.open(altered, 'route/sms');
      } catch (error) {
        expect(error).toBeInstanceOf(SecretBoxError);
      }
      // The last character of base64url may hold bits that mean nothing.
      if (opened !== undefined) expect(opened).toBe('{"password":"hunter2"}');
    }
  });

  test('seals the same text differently each time', () => {
    const sealed = new Set(Array.from({ length: 100 }, () => box.seal('same', 'same')));
    expect(sealed.size).toBe(100);
  });

  test('opens what older keys sealed and seals by the first', () => {
    const old = box.seal('secret', 'a');
    const rotated = createSecretBox([two, one]);
    expect(rotated.open(old, 'a')).toBe('secret');
    expect([rotated.isCurrent(old), rotated.isCurrent(rotated.seal('secret', 'a'))]).toEqual([false, true]);
    expect(() => createSecretBox([two]).open(old, 'a')).toThrow(box.keyId);
  });
});

describe('parseSecretKeys', () => {
  test.each(['base64', 'base64url', 'hex'] as const)('reads keys in %s', (encoding) => {
    expect(parseSecretKeys(`${one.toString(encoding)},${two.toString(encoding)}\n`)).toEqual([one, two]);
  });

  test.each(['', ' , ', 'short', `${one.toString('hex')}0`, `${one.toString('base64')},oops`])(
    'refuses %j',
    (text) => {
      expect(parseSecretKeys(text)).toBeUndefined();
    },
  );
});
