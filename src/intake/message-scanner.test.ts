import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Channel } from '../message/fields.ts';
import { JsonScanner } from './json-scanner.ts';
import { MessageScanner } from './message-scanner.ts';
import { survivesDouble } from './survives-double.ts';

/** Refused although JSON.parse takes it: see the tests of each. */
const stricter = new Set(['nesting_too_deep', 'number_precision', 'invalid_unicode']);

describe('JSON grammar', () => {
  const mutated = fc
    .tuple(
      fc.json({ maxDepth: 4 }),
      fc.nat(),
      fc.constantFrom(...'{}[]",:\\0-.eE+tfn \t\r\n\u0001a'),
      fc.nat(2),
    )
    .map(([text, at, character, kind]) => mutate(text, { at: at % (text.length + 1), character, kind }));
  const tokens = fc
    .array(
      fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '""',
        '"a"',
        '"\\u00e9"',
        '1',
        '-0',
        '1e5',
        '0.5',
        'true',
        ' ',
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join(''));

  test('accepts what JSON.parse accepts and refuses what it refuses', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), mutated, tokens), (text) => {
        const code = grammarOf(text);
        if (code !== undefined && stricter.has(code)) return;
        expect(code === undefined).toBe(parses(text));
      }),
      { numRuns: 3_000 },
    );
  });

  test.each([
    ['', 'expected a value, found the end'],
    ['{', 'expected a name in quotes, found the end'],
    ['{"to"}', 'expected ":", found "}"'],
    ['{"to":1,}', 'expected a name in quotes, found "}"'],
    ['[1,]', 'expected a value, found "]"'],
    ['"\\x"', 'expected an escape, found "x"'],
    ['"\\u12g4"', 'expected four hexadecimal digits'],
    ['"\u0001"', 'expected the end of a string, found control character 0x01'],
    ['01', 'expected the end of the record, found "1"'],
    ['1.', 'expected a digit, found the end'],
    ['NaN', 'expected a value, found "N"'],
    ["{'to':1}", 'expected a name in quotes, found "\'"'],
    ['{"to":"+31612345678"} {', 'expected the end of the record, found "{"'],
  ])('%j is invalid_json, and the detail tells why', (text, detail) => {
    const problem = problemOf(text);
    expect(problem?.code).toBe('invalid_json');
    expect(problem?.detail).toContain(detail);
    expect(problem?.detail).toMatch(/at byte \d+$/);
  });

  test('nesting is taken to 32 deep', () => {
    const nested = (depth: number) =>
      `{"to":"+31612345678","payload":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expect(problemOf(nested(31))).toBeUndefined();
    expect(problemOf(nested(32))?.code).toBe('nesting_too_deep');
    expect(problemOf(nested(30_000))?.code).toBe('nesting_too_deep');
  });
});

describe('numbers', () => {
  test.each([
    '0',
    '-0',
    '0.1',
    '1.0',
    '1e2',
    '1E+2',
    '9007199254740992',
    '100000000000000000000',
    '5e-324',
    '1.7976931348623157e308',
    '0.30000000000000004',
    '0e999',
    '0.000',
  ])('%s is taken', (number) => {
    expect(problemOf(`{"to":"+31612345678","payload":${number}}`)).toBeUndefined();
  });

  test.each([
    '9007199254740993',
    '12345678901234567890',
    '1e400',
    '-1e400',
    '1e-400',
    '0.1234567890123456789',
    '4.9e-324',
  ])('%s is refused, because a double would change it', (number) => {
    expect(problemOf(`{"to":"+31612345678","payload":{"n":[${number}]}}`)?.code).toBe('number_precision');
  });

  test('every double survives in its shortest form', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) =>
        survivesDouble(JSON.stringify(value)),
      ),
    );
  });

  test('integers of fifteen digits survive, and no two that do become the same double', () => {
    const integer = fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n });
    fc.assert(
      fc.property(integer, fc.bigInt({ min: 1n, max: 64n }), (value, step) => {
        if (value > -(10n ** 15n) && value < 10n ** 15n) expect(survivesDouble(`${value}`)).toBe(true);
        if (Number(value) !== Number(value + step)) return;
        expect(survivesDouble(`${value}`) && survivesDouble(`${value + step}`)).toBe(false);
      }),
    );
  });
});

describe('values', () => {
  const message = fc.record(
    {
      to: fc.oneof(fc.constantFrom('+31612345678', 'ada@example.com', 'x'), fc.string({ unit: 'binary' })),
      ref: fc.string({ unit: 'binary', maxLength: 40 }),
      body: fc.string({ unit: 'binary' }),
      metadata: fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 2 })),
      payload: fc.jsonValue({ maxDepth: 3 }),
      tags: fc.array(fc.string({ maxLength: 10 }), { maxLength: 5 }),
    },
    { requiredKeys: ['to'] },
  );

  test('to and ref are read as JSON.parse reads them, escaped or not', () => {
    fc.assert(
      fc.property(message, fc.boolean(), fc.constantFrom('', ' ', '\r'), (fields, escaped, space) => {
        const json = JSON.stringify(fields);
        const text = space + (escaped ? escapeAll(json) : json) + space;
        const expected = JSON.parse(text) as { to: string; ref?: string };
        const scanner = new MessageScanner({ mode: 'single' });
        const { bytes, end } = padded(text);
        if (!scanner.scan(bytes, 1, end)) {
          expect(stricter).toContain(scanner.problem?.code);
          return;
        }
        const at = (from: Uint8Array, start: number, stop: number) =>
          Buffer.from(from.subarray(start, stop)).toString();
        expect(at(scanner.toBytes, scanner.toStart, scanner.toEnd)).toBe(expected.to);
        const ref =
          scanner.refStart === -1 ? undefined : at(scanner.refBytes, scanner.refStart, scanner.refEnd);
        expect(ref).toBe(expected.ref);
        expect(at(bytes, scanner.recordStart, scanner.recordEnd)).toBe(text.trim());
      }),
    );
  });

  test('of a name that occurs twice the last value counts', () => {
    expect(problemOf('{"to":5,"to":"+31612345678"}')).toBeUndefined();
    expect(problemOf('{"to":"+31612345678","to":5}')?.code).toBe('wrong_type');
    const scanner = new MessageScanner({ mode: 'batch' });
    const { bytes, end } = padded('{"to":"+31612345678","t\\u006f":"ada@example.com"}');
    expect(scanner.scan(bytes, 1, end)).toBe(true);
    expect(Buffer.from(scanner.toBytes.subarray(scanner.toStart, scanner.toEnd)).toString()).toBe(
      'ada@example.com',
    );
  });

  test('half a surrogate pair is refused, a whole one is taken', () => {
    expect(problemOf('{"to":"+31612345678","body":"\\ud83d"}')?.code).toBe('invalid_unicode');
    expect(problemOf('{"to":"+31612345678","body":"\\ude00\\ud83d"}')?.code).toBe('invalid_unicode');
    expect(problemOf('{"to":"+31612345678","body":"\\ud83d\\ude00"}')).toBeUndefined();
  });

  test('__proto__ and constructor are plain data, and no fields of a message', () => {
    const inside =
      '{"to":"+31612345678","metadata":{"__proto__":{"to":"x"},"constructor":1},"payload":{"__proto__":1}}';
    expect(problemOf(inside)).toBeUndefined();
    expect(problemOf('{"to":"+31612345678","__proto__":{}}')?.code).toBe('unknown_field');
    expect(problemOf('{"to":"+31612345678","constructor":{}}')?.code).toBe('unknown_field');
  });
});

describe('shape', () => {
  const to = '"to":"+31612345678"';
  test.each([
    ['[]', 'not_an_object'],
    ['"text"', 'not_an_object'],
    ['null', 'not_an_object'],
    ['{}', 'missing_to'],
    ['{"to":null}', 'wrong_type'],
    ['{"to":31612345678}', 'wrong_type'],
    ['{"to":""}', 'invalid_recipient'],
    [`{${to},"body":7}`, 'wrong_type'],
    [`{${to},"ref":"${'r'.repeat(256)}"}`, 'too_long'],
    [`{${to},"subject":"${'s'.repeat(999)}"}`, 'too_long'],
    [`{${to},"subject":"s\\r\\nBcc: a@example.com"}`, 'invalid_value'],
    [`{${to},"from":"a@example.com\\u000aX: y"}`, 'invalid_value'],
    [`{${to},"tags":"a"}`, 'wrong_type'],
    [`{${to},"tags":["a",1]}`, 'wrong_type'],
    [`{${to},"tags":["a\\u0000"]}`, 'invalid_value'],
    [`{${to},"tags":[${Array(21).fill('"a"')}]}`, 'too_long'],
    [`{${to},"tags":["${'t'.repeat(101)}"]}`, 'too_long'],
    [`{${to},"metadata":[]}`, 'wrong_type'],
    [`{${to},"headers":[]}`, 'wrong_type'],
    [`{${to},"headers":{"a":1}}`, 'wrong_type'],
    [`{${to},"headers":{"a b":"c"}}`, 'invalid_value'],
    [`{${to},"headers":{"a":"b\\r\\nc: d"}}`, 'invalid_value'],
    [`{${to},"colour":"red"}`, 'unknown_field'],
    [`{${to},"To":"x"}`, 'unknown_field'],
    [`{${to},"attachments":[]}`, 'not_available'],
    [`{${to},"template":7}`, 'wrong_type'],
    [`{${to},"template":"${'t'.repeat(65)}"}`, 'too_long'],
    [`{${to},"params":[]}`, 'wrong_type'],
    [`{${to},"template":"t","body":"b"}`, 'template_and_text'],
    [`{${to},"subject":"s","template":"t"}`, 'template_and_text'],
    [`{${to},"scheduledAt":1893456000}`, 'wrong_type'],
    [`{${to},"scheduledAt":"tomorrow"}`, 'invalid_value'],
    [`{${to},"scheduledAt":"2030-02-30T00:00:00Z"}`, 'invalid_value'],
    [`{${to},"expiresAt":"2030-01-01T00:00:00"}`, 'invalid_value'],
    [`{${to},"scheduledAt":"2030-01-01T01:00:00+01:00","expiresAt":"2030-01-01T00:00:00Z"}`, 'invalid_value'],
    [`{${to},"orderingKey":""}`, 'invalid_value'],
    [`{${to},"orderingKey":"${'k'.repeat(256)}"}`, 'too_long'],
    [`{${to},"route":"sms"}`, 'not_allowed_in_batch'],
    [`{${to},"priority":"bulk"}`, 'not_allowed_in_batch'],
  ])('%s is %s', (text, code) => {
    expect(problemOf(text)?.code).toBe(code);
  });

  test('every field that is built is taken at its limit', () => {
    const full = {
      to: '+31612345678',
      from: 'Acme',
      body: 'b',
      html: '<b>b</b>',
      subject: '😀'.repeat(998),
      payload: [null, { a: 1.5 }],
      headers: { 'X-A': 'b' },
      ref: 'é'.repeat(255),
      tags: Array(20).fill('t'.repeat(100)),
      metadata: { a: { b: [] } },
    };
    expect(problemOf(JSON.stringify(full))).toBeUndefined();
  });

  test('a single message may name its route and priority', () => {
    const scanner = new MessageScanner({ mode: 'single' });
    const good = padded(`{${to},"route":"sms","priority":"bulk"}`);
    expect(scanner.scan(good.bytes, 1, good.end)).toBe(true);
    expect([scanner.route, scanner.priority]).toEqual(['sms', 'bulk']);
    const bad = padded(`{${to},"priority":"urgent"}`);
    expect(scanner.scan(bad.bytes, 1, bad.end)).toBe(false);
    expect([scanner.problem?.code, scanner.route]).toEqual(['invalid_value', undefined]);
  });

  test('a scanner starts afresh with every record', () => {
    const scanner = new MessageScanner({ mode: 'batch' });
    const codes = [`{${to},"x":1}`, `{${to}}`, '{"body":"b"}', `{${to},"ref":"r"}`, `{${to}}`].map((text) => {
      const { bytes, end } = padded(text);
      return scanner.scan(bytes, 1, end) ? scanner.refStart !== -1 : scanner.problem?.code;
    });
    expect(codes).toEqual(['unknown_field', false, 'missing_to', true, false]);
  });
});

describe('recipients', () => {
  test.each<[Channel | undefined, string, boolean]>([
    ['sms', '+31612345678', true],
    ['sms', '+3161234', true],
    ['sms', '+316123', false],
    ['sms', '+1234567', false],
    ['sms', '+31 (0)6 1234-5678', true],
    ['sms', '+1234567890123456', false],
    ['sms', '+0612345678', false],
    ['sms', '31612345678', false],
    ['sms', '+3161234567x', false],
    ['sms', 'ada@example.com', false],
    ['email', 'ada@example.com', true],
    ['email', 'ada+tag@münchen.example', true],
    ['email', 'a..b@example.com', false],
    ['email', 'ada@-example.com', false],
    ['email', 'ada@example..com', false],
    ['email', 'ada@@example.com', false],
    ['email', 'ada lovelace@example.com', false],
    ['email', 'ada@example.com\nBcc: eve@example.com', false],
    ['email', '@example.com', false],
    ['email', `${'a'.repeat(65)}@example.com`, false],
    ['email', '+31612345678', false],
    ['webhook', 'https://example.com/hook?a=b', true],
    ['webhook', 'HTTP://[::1]:8080/', true],
    ['webhook', 'ftp://example.com/', false],
    ['webhook', 'https://', false],
    ['webhook', 'https://exa mple.com/', false],
    ['webhook', '/hook', false],
    [undefined, '+31612345678', true],
    [undefined, 'ada@example.com', true],
    [undefined, 'https://example.com/', false],
  ])('on channel %s, %s is a recipient: %s', (channel, recipient, good) => {
    const scanner = new MessageScanner({ mode: 'batch', channel });
    for (const text of [JSON.stringify({ to: recipient }), escapeAll(JSON.stringify({ to: recipient }))]) {
      const { bytes, end } = padded(text);
      expect(scanner.scan(bytes, 1, end)).toBe(good);
      if (!good) expect(scanner.problem?.code).toBe('invalid_recipient');
    }
  });
});

test('a recipient is at most 2,048 bytes long', () => {
  const url = 'https://example.com/'.padEnd(2_048, 'a');
  const scanner = new MessageScanner({ mode: 'batch', channel: 'webhook' });
  const good = [url, `${url}a`].map((to) => {
    const { bytes, end } = padded(JSON.stringify({ to }));
    return scanner.scan(bytes, 1, end);
  });
  expect(good).toEqual([true, false]);
});

function problemOf(text: string) {
  const scanner = new MessageScanner({ mode: 'batch' });
  const { bytes, end } = padded(text);
  return scanner.scan(bytes, 1, end) ? undefined : scanner.problem;
}

function grammarOf(text: string): string | undefined {
  const { bytes, end } = padded(text);
  const json = new JsonScanner();
  json.start(bytes, end);
  const after = json.skipValue(json.skipSpace(1), 0);
  if (after === -1) return json.fault?.code;
  if (json.skipSpace(after) !== end) return 'invalid_json';
  if (json.impreciseAt !== -1) return 'number_precision';
  return json.loneSurrogateAt === -1 ? undefined : 'invalid_unicode';
}

/** The record in the midst of other bytes, as in a slot. */
function padded(text: string): { bytes: Uint8Array; end: number } {
  const record = Buffer.from(text);
  return { bytes: Buffer.concat([Buffer.from('"'), record, Buffer.from('\n"}')]), end: record.length + 1 };
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function mutate(
  text: string,
  { at, character, kind }: { at: number; character: string; kind: number },
): string {
  if (kind === 0) return text.slice(0, at) + character + text.slice(at);
  return text.slice(0, at) + (kind === 1 ? '' : character) + text.slice(at + 1);
}

/** The same JSON with the letters and digits of its strings written as escapes. */
function escapeAll(json: string): string {
  return json.replace(/"(?:[^"\\]|\\.)*"/g, (string) =>
    string.replace(/\\u....|\\.|[A-Za-z0-9+@]/g, (part) =>
      part.length > 1 ? part : `\\u${part.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
  );
}
