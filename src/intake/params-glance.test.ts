import fc from 'fast-check';
import { expect, test } from 'vitest';
import { paramsProblem } from '../message/templates/params-problem.ts';
import { ParamsGlance } from './params-glance.ts';

function isFine(
  text: string | undefined,
  needs: { required: string[]; optional: string[] },
  defaults?: object,
) {
  const glance = new ParamsGlance(needs, defaults as Record<string, unknown>);
  const bytes = Buffer.from(`{"to":"+31","params":${text ?? '1'}}\n`);
  if (text === undefined) return glance.isFine(bytes, -1, -1);
  const start = bytes.indexOf('"params":') + '"params":'.length;
  return glance.isFine(bytes, start, start + Buffer.byteLength(text));
}

test.each([
  ['{"a":"x","b":1}', true],
  [' { "b" : -1.5e3 , "a" : true }'.trim(), true],
  ['{"a":"}\\"{","b":"\\\\"}', true],
  ['{"x":{"a":[1,"]"]},"a":"é","b":false,"c":"z"}', true],
  ['{"a":"x"}', false],
  ['{}', false],
  [undefined, false],
  ['{"a":null,"b":1}', false],
  ['{"a":{"b":1},"b":1}', false],
  ['{"a":"x","b":1,"c":[]}', false],
  ['{"a":"x","b":1,"a":null}', false],
  ['{"a":null,"b":1,"a":"x"}', true],
])('%s brings a and b: %s', (text, expected) => {
  expect(isFine(text, { required: ['a', 'b'], optional: ['c'] })).toBe(expected);
});

test('what the batch sets need not be brought', () => {
  const needs = { required: ['a', 'b'], optional: [] };
  expect(isFine('{"b":1}', needs, { a: 'x' })).toBe(true);
  expect(isFine(undefined, needs, { a: 'x', b: 2 })).toBe(true);
  expect(isFine('{"a":null,"b":1}', needs, { a: 'x' })).toBe(false);
});

test('what is taken for fine is fine', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'é', '__proto__', 'constructor', 'a.b');
  const params = fc.dictionary(name, fc.jsonValue({ maxDepth: 2 }));
  const names = fc.uniqueArray(name, { maxLength: 4 });
  fc.assert(
    fc.property(params, params, names, names, fc.nat(2), (own, defaults, required, optional, spaces) => {
      const needs = { required, optional };
      const text = JSON.stringify(own, null, spaces).replaceAll('\n', ' ');
      if (!isFine(text, needs, defaults)) return;
      expect(paramsProblem(needs, { own: JSON.parse(text), defaults: { ...defaults } })).toBeUndefined();
    }),
    { numRuns: 1_000 },
  );
});
