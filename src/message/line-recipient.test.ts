import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lineRecipient, recipientAtGlance } from './line-recipient.ts';

test('what is seen at a glance is what the line says, whatever else stands in it', () => {
  const fields = fc.dictionary(fc.string(), fc.jsonValue());
  fc.assert(
    fc.property(fc.string(), fields, (to, more) => {
      const line = JSON.stringify({ to, ...more, to2: to });
      const seen = recipientAtGlance(line);
      if (seen !== undefined && !Object.hasOwn(more, 'to')) expect(seen).toBe(lineRecipient(line));
    }),
  );
});

test('a recipient that a line begins with is seen, one that is escaped, cut or elsewhere is not', () => {
  expect(recipientAtGlance('{"to":"https://example.com/a","payload":{"to":"x"}}')).toBe(
    'https://example.com/a',
  );
  expect(recipientAtGlance('{"to":"+31612345678"}')).toBe('+31612345678');
  expect(recipientAtGlance('{"to":"a\\u0062"}')).toBeUndefined();
  expect(recipientAtGlance('{"to":"a')).toBeUndefined();
  expect(recipientAtGlance('{"ref":"a","to":"b"}')).toBeUndefined();
  expect(recipientAtGlance('{"erased":true}')).toBeUndefined();
});

test('of several recipients the last one counts, and the first one is seen', () => {
  const line = '{"to":"a","to":"b"}';
  expect([recipientAtGlance(line), lineRecipient(line)]).toEqual(['a', 'b']);
});
