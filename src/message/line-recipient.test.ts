import fc from 'fast-check';
import { expect, test } from 'vitest';
import { erasedLine } from './erased-line.ts';
import { lineRecipient, recipientAtGlance } from './line-recipient.ts';

test('what is seen at a glance is what the line says, whatever else stands in it', () => {
  fc.assert(
    fc.property(fc.string(), fc.jsonValue(), (to, payload) => {
      const line = JSON.stringify({ to, payload });
      const isPlain = to !== '' && JSON.stringify(to) === `"${to}"`;
      expect(recipientAtGlance(line)).toBe(isPlain ? lineRecipient(line) : undefined);
    }),
  );
});

test('a recipient that a line does not begin with, that is cut, or that was erased is not seen', () => {
  expect(recipientAtGlance('{"to":"a')).toBeUndefined();
  expect(recipientAtGlance('{"ref":"a","to":"b"}')).toBeUndefined();
  expect(recipientAtGlance(erasedLine)).toBeUndefined();
});

test('of several recipients the last one counts, and the first one is seen', () => {
  const line = '{"to":"a","to":"b"}';
  expect([recipientAtGlance(line), lineRecipient(line)]).toEqual(['a', 'b']);
});
