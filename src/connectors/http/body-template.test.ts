import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MessageFields } from '../../message/fields.ts';
import { checkTemplate, compileTemplate } from './body-template.ts';

function posted(template: unknown, fields: Partial<MessageFields> = {}): unknown {
  const make = compileTemplate(template);
  const message = { id: 'm1', key: 'm1', accountId: 1, attempt: 1 };
  return JSON.parse(make({ ...message, fields: { to: '+31612345678', ...fields } }));
}

describe('a body template', () => {
  it('puts a field in the place of its placeholder, with its own type', () => {
    const fields = { metadata: { order: { n: 7, ok: true } }, tags: ['a'] };
    expect(
      posted({ n: '{{metadata.order.n}}', ok: '{{ metadata.order.ok }}', tags: '{{tags}}' }, fields),
    ).toEqual({
      n: 7,
      ok: true,
      tags: ['a'],
    });
  });

  it('writes a field as text inside a longer string', () => {
    const fields = { body: 'hello', metadata: { n: 7, o: { a: 1 } } };
    expect(posted('{{to}}: {{body}} {{metadata.n}} {{metadata.o}}{{html}}', fields)).toBe(
      '+31612345678: hello 7 {"a":1}',
    );
  });

  it('leaves out a member whose field is missing, and keeps the place of an element', () => {
    expect(posted({ a: '{{body}}', b: ['{{body}}', 1] })).toEqual({ b: [null, 1] });
  });

  it('does not read a placeholder out of what a message says', () => {
    expect(posted('{{body}}!', { body: '{{to}} $& $1' })).toBe('{{to}} $& $1!');
  });

  it('reaches own members only', () => {
    expect(
      posted(
        { a: '{{metadata.constructor}}', b: '{{body.length}}', c: '{{tags.0}}' },
        { metadata: {}, body: 'x', tags: ['t'] },
      ),
    ).toEqual({ c: 't' });
  });

  it('keeps every JSON value without braces as it is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const text = JSON.stringify(value, (_, part) => {
          if (typeof part === 'string') fc.pre(!/\{\{|\}\}/.test(part));
          return part;
        });
        expect(checkTemplate(value, '')).toEqual([]);
        expect(posted(value)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('keeps a member named __proto__ as data', () => {
    expect(Object.keys(posted(JSON.parse('{"__proto__":"{{to}}"}')) as object)).toEqual(['__proto__']);
  });

  it('may not nest for ever', () => {
    let deep: unknown = 'x';
    for (let n = 0; n < 100; n++) deep = [deep];
    expect(checkTemplate(deep, '/bodyTemplate')).toMatchObject([{ code: 'invalid_value' }]);
  });
});
