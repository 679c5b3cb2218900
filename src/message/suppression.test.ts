import fc from 'fast-check';
import { expect, test } from 'vitest';
import { suppressedForm, suppressionChannel, suppressionHash } from './suppression.ts';

const local = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}$/);
const domain = fc.stringMatching(/^[A-Za-z0-9]{1,10}\.[A-Za-z]{2,5}$/);
const address = fc.tuple(local, domain).map((parts) => parts.join('@'));
const phone = fc.stringMatching(/^\+[1-9][0-9]{6,14}$/);
const recipient = fc.oneof(address, phone);

test('an address is one recipient however its letters are written, and no other one', () => {
  fc.assert(
    fc.property(
      address,
      address,
      fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }),
      (one, other, ups) => {
        const written = [...one].map((letter, n) => (ups[n] ? letter.toUpperCase() : letter)).join('');
        expect(suppressionHash(1, written)).toBe(suppressionHash(1, one));
        const isSame = one.toLowerCase() === other.toLowerCase();
        expect(suppressionHash(1, one) === suppressionHash(1, other)).toBe(isSame);
      },
    ),
  );
});

test('recipients of two accounts share nothing, and every hash is a uuid', () => {
  fc.assert(
    fc.property(recipient, fc.integer({ min: 1, max: 1_000_000 }), (to, account) => {
      expect(suppressionHash(account, to)).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      expect(suppressionHash(account, to)).not.toBe(suppressionHash(account + 1, to));
    }),
  );
});

test('stored hashes are made the same way for ever', () => {
  expect(suppressionHash(1, '+31612345678')).toBe('3ea3cd2f-8d90-7c6a-094c-144a4e2c44bb');
  expect(suppressionHash(7, 'Ada@Example.com')).toBe('aaaf5adb-ea10-2061-5484-80b59fdbdf03');
});

test('whatever a channel takes has its list by its form alone', () => {
  fc.assert(
    fc.property(recipient, (to) => {
      const channel = suppressionChannel(to)!;
      expect(channel).toBe(to.includes('@') ? 'email' : 'sms');
      expect(suppressionChannel(suppressedForm(to))).toBe(channel);
    }),
  );
});

test.each(['https://user@example.com/hook', 'http://example.com/?a=b@c', 'billing', ''])(
  'what goes to no person has no list: %j',
  (to) => {
    expect(suppressionHash(1, to)).toBeUndefined();
  },
);
