import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DestinationMatcher, readMatch } from './destination-match.ts';

const matcher = new DestinationMatcher([
  '+31',
  '+316',
  'example.com',
  '*.example.com',
  '*.eu.example.com',
  '*',
]);

test.each([
  ['+31201234567', '+31'],
  ['+31612345678', '+316'],
  ['ada@example.com', 'example.com'],
  ['ada@EXAMPLE.com', 'example.com'],
  ['https://example.com/hook', 'example.com'],
  ['HTTP://user@Example.Com:8443/x?y#z', 'example.com'],
  ['https://example.com./hook', 'example.com'],
  ['ada@mail.example.com', '*.example.com'],
  ['ada@a.b.example.com', '*.example.com'],
  ['https://x.eu.example.com', '*.eu.example.com'],
  ['ada@notexample.com', '*', 'notexample.com'],
  ['https://127.0.0.1:9000/', '*', '127.0.0.1'],
  ['https://[::1]/', '*', '[::1]'],
  ['ada@Bücher.example', '*', 'xn--bcher-kva.example'],
])('%s is limited as %s', (to, match, host?: string) => {
  expect(matcher.find(to)).toEqual({ match, ...(host && { host }) });
});

test('a number without a prefix of its own is free, with or without *', () => {
  expect(matcher.find('+4915112345678')).toBeUndefined();
  expect(new DestinationMatcher(['example.com']).find('ada@example.org')).toBeUndefined();
});

test('of all prefixes that fit, the longest counts', () => {
  const digits = fc.stringMatching(/^[1-9]\d{0,7}$/);
  fc.assert(
    fc.property(
      fc.array(digits, { maxLength: 20 }),
      fc.stringMatching(/^[1-9]\d{6,14}$/),
      (prefixes, number) => {
        const fitting = prefixes.filter((prefix) => number.startsWith(prefix));
        const longest = fitting.sort((a, b) => b.length - a.length)[0];
        const found = new DestinationMatcher(prefixes.map((prefix) => `+${prefix}`)).find(`+${number}`);
        expect(found).toEqual(longest && { match: `+${longest}` });
      },
    ),
  );
});

test.each([
  ['+31', 'sms'],
  ['example.com', 'email'],
  ['*.example.com', 'webhook'],
  ['127.0.0.1', 'webhook'],
  ['[::1]', 'webhook'],
  ['*', 'email'],
  ['*', undefined],
] as const)('%s is a match on %s', (text, channel) => {
  expect(readMatch(text, channel)).toEqual({ match: text });
});

test('hosts are compared in lower case and as DNS has them', () => {
  expect(readMatch('*.Example.COM', 'email')).toEqual({ match: '*.example.com' });
  expect(readMatch('Bücher.example.', 'webhook')).toEqual({ match: 'xn--bcher-kva.example' });
});

test.each([
  ['*', 'sms', 'prefixes such as +31'],
  ['31', 'sms', 'E.164'],
  ['31', 'sms', 'did you mean +31?'],
  ['31', undefined, 'did you mean +31?'],
  ['0031', undefined, 'did you mean +31?'],
  ['06', undefined, 'E.164'],
  ['31', 'webhook', 'host'],
  ['31', 'email', 'domain'],
  ['+', 'sms', 'E.164'],
  ['+031', 'sms', 'E.164'],
  ['+1234567890123456', 'sms', 'E.164'],
  ['example.com', 'sms', 'E.164'],
  ['+31', 'email', 'domain'],
  ['+31', 'webhook', 'host'],
  ['https://example.com', 'webhook', 'without scheme'],
  ['example.com:443', 'webhook', 'without scheme and port'],
  ['ada@example.com', 'email', 'domain'],
  ['*example.com', 'email', 'domain'],
  ['*.*.example.com', 'email', 'domain'],
  ['a b', undefined, 'beginning of a number'],
  ['', undefined, 'beginning of a number'],
] as const)('%j is no match on %s', (text, channel, words) => {
  expect(readMatch(text, channel)).toEqual({ problem: expect.stringContaining(words) });
});

test('whatever is a match is found for the recipients that it names', () => {
  fc.assert(
    fc.property(fc.domain(), (domain) => {
      const read = readMatch(domain, 'email');
      if (!('match' in read)) throw new Error(read.problem);
      const one = new DestinationMatcher([read.match]);
      expect(one.find(`ada@${domain.toUpperCase()}`)).toEqual({ match: read.match });
      expect(one.find(`https://${domain}:8080/x`)).toEqual({ match: read.match });
    }),
  );
});
