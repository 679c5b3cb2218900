import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findInFrame } from './find-in-frame.ts';
import { lookupRecipient } from './recipient.ts';

const to = fc.oneof(
  fc.constantFrom(
    '+31612345678',
    '+3161234567',
    'ada@example.com',
    'Ada@EXAMPLE.com',
    'https://Example.com/a/b',
  ),
  fc.emailAddress(),
);
const ref = fc.oneof(fc.constantFrom('a', 'b/c', '"', 'é', '+31612345678', 'x\ny'), fc.string());

/** JSON of a message, some of whose characters are escaped without need. */
const line = fc
  .record({
    to,
    ref: fc.option(ref, { nil: undefined }),
    body: fc.oneof(ref, to),
    escapes: fc.nat({ max: 3 }),
  })
  .map(({ escapes, ...message }) => {
    const text = JSON.stringify(message);
    if (escapes === 0) return text;
    const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
    if (escapes === 1) return text.replaceAll('/', '\\/');
    return text.replace(/[+@aé]/g, escaped);
  });

function same(kind: 'to' | 'ref', one: string, other: string): boolean {
  if (kind === 'ref') return one === other;
  const form = (text: string) => Buffer.from(lookupRecipient(Buffer.from(text))).toString();
  return form(one) === form(other);
}

describe('finding messages in a frame', () => {
  test('finds exactly the messages that parsing every line finds, however they are written', () => {
    const search = fc.oneof(
      fc.record({ kind: fc.constant('to' as const), value: to }),
      fc.record({ kind: fc.constant('ref' as const), value: ref }),
    );
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 20 }), search, (lines, { kind, value }) => {
        const expected = lines.flatMap((text, offset) => {
          const found = JSON.parse(text)[kind];
          return found !== undefined && same(kind, found, value) ? [{ offset, line: text }] : [];
        });
        expect(findInFrame(Buffer.from(lines.join('\n')), { kind, value })).toEqual(expected);
      }),
    );
  });

  test('does not take a value in another field, or a longer one, for the one it looks for', () => {
    const frame = Buffer.from(
      ['{"to":"+3161","body":"+31612345678"}', '{"to":"+316123456789"}', '{"to":"+31612345678"}'].join('\n'),
    );
    const search = { kind: 'to' as const, value: '+31612345678' };
    expect(findInFrame(frame, search).map(({ offset }) => offset)).toEqual([2]);
  });
});
