import fc from 'fast-check';
import { expect, test } from 'vitest';
import { payloadAtGlance } from './line-payload.ts';

test('what is seen of a payload at a glance is the payload that the line has', () => {
  const value = fc.jsonValue();
  const key = fc.constantFrom('to', 'ref', 'payload', 'metadata', 'a,"payload":{}', ']');
  fc.assert(
    fc.property(
      fc.dictionary(key, value),
      fc.array(fc.tuple(key, value), { maxLength: 2 }),
      (fields, more) => {
        // Names may come twice, as JSON allows: the last one counts.
        const twice = more.map(([name, last]) => `,${JSON.stringify(name)}:${JSON.stringify(last)}`);
        const line = `${JSON.stringify({ to: 'x', ...fields }).slice(0, -1)}${twice.join('')}}`;
        const seen = payloadAtGlance(line);
        if (seen !== undefined) expect(JSON.parse(seen)).toEqual(JSON.parse(line).payload);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('a payload at the end of a line is seen as it was given', () => {
  for (const payload of ['{"n": 1.0,"2":[],"1":{"to":"}]\\"\\\\"}}', '[1e3, {"é":"\\u00e9"}]', '{}', '[]'])
    expect(payloadAtGlance(`{"to":"x","ref":"r","payload":${payload}}`)).toBe(payload);
});

test.each([
  ['it is followed by another member', '{"to":"x","payload":{"a":1},"ref":"r"}'],
  ['it comes twice', '{"to":"x","payload":{"a":1},"payload":{"a":2}}'],
  ['it belongs to something else', '{"to":"x","metadata":{"a":1,"payload":{}}}'],
  ['it is no object and no list', '{"to":"x","payload":"a"}'],
  ['the line is cut', '{"to":"x","payload":{"a":"b'],
  ['there is none', '{"to":"x","body":",\\"payload\\":{}"}'],
])('no payload is seen where %s', (_, line) => {
  expect(payloadAtGlance(line)).toBeUndefined();
});
