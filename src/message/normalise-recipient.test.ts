import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Channel } from './fields.ts';
import { lookupHash } from './lookup-hash.ts';
import { isNormalRecipient, normaliseRecipient } from './normalise-recipient.ts';

test.each([
  ['ada@example.com', 'ada@example.com'],
  [' Ada.Lovelace@Example.COM\t', 'Ada.Lovelace@example.com'],
  ['ada+news@bücher.example', 'ada+news@xn--bcher-kva.example'],
  ['ada@BÜCHER.example', 'ada@xn--bcher-kva.example'],
  ['ada@例え。jp', 'ada@xn--r8jz45g.jp'],
  ['josé@example.com', 'josé@example.com'],
  // Not an address of the Internet Protocol, which a host of a URL would be.
  ['ada@1.2', 'ada@1.2'],
])('the address %j is kept as %s', (text, to) => {
  expect(normaliseRecipient(text, { channel: 'email' })).toEqual({ to });
  expect(normaliseRecipient(text, {})).toEqual({ to });
});

test.each([
  ['Ada Lovelace <ada@example.com>', /the address alone/],
  ['<ada@example.com>', /the address alone/],
  ['ada@xn--\u00fc.example', /an e-mail address such as/],
  ['ada@\u00ad', /an e-mail address such as/],
  [
    `${'a'.repeat(60)}@${'ü'.repeat(60)}.${'ü'.repeat(60)}.${'ü'.repeat(60)}.example`,
    /an e-mail address such as/,
  ],
  ['mailto:ada@example.com', /an e-mail address such as/],
  ['ada@example.com, eve@example.com', /an e-mail address such as/],
  ['ada@example.com\nBcc: eve', /an e-mail address such as/],
])('the address %j is refused: %s', (text, problem) => {
  expect(normaliseRecipient(text, { channel: 'email' })).toEqual({ problem: expect.stringMatching(problem) });
});

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.emailAddress(),
  fc.tuple(fc.emailAddress(), fc.string({ unit: 'binary', maxLength: 8 })).map(([address, more]) => {
    const at = address.indexOf('@') + 1;
    return `${address.slice(0, at)}${more}${address.slice(at)}`;
  }),
  fc.webUrl(),
  fc.stringMatching(/^[+\d ()-]{5,18}$/),
);
const channel = fc.constantFrom<Channel | undefined>('sms', 'email', 'webhook', undefined);

test('what is kept of a recipient stays as it is, and is found under what was given in another case of its domain', () => {
  fc.assert(
    fc.property(text, channel, (given, of) => {
      const kept = normaliseRecipient(given, { channel: of, country: 'NL' });
      if ('problem' in kept) return;
      expect(normaliseRecipient(kept.to, { channel: of, country: 'US' })).toEqual(kept);
      const plain = /^[!-~]+$/.test(given) && !given.startsWith('+') && given.includes('@');
      if (plain) expect(lookupHash('to', 1, given)).toBe(lookupHash('to', 1, kept.to));
    }),
    { numRuns: 3_000 },
  );
});

test('bytes are told to be in the form that is kept only where they are', () => {
  fc.assert(
    fc.property(text, channel, (given, of) => {
      const bytes = Buffer.from(`"${given}"`);
      if (!isNormalRecipient(bytes, { start: 1, end: bytes.length - 1, channel: of })) return;
      expect(normaliseRecipient(given, { channel: of })).toEqual({ to: given });
    }),
    { numRuns: 3_000 },
  );
});
