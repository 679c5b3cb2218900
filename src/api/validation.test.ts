import { Type } from 'typebox';
import { expect, test } from 'vitest';
import type { ProblemError } from '../message/error-codes.ts';
import { compileBody, validatorCompiler } from './validation.ts';

const schema = Type.Object(
  {
    name: Type.String({ minLength: 2 }),
    count: Type.Optional(Type.Integer({ minimum: 1 })),
    on: Type.Optional(Type.Boolean()),
    kind: Type.Optional(Type.Union([Type.Literal('a'), Type.Literal('b')])),
    scope: Type.Optional(Type.Enum(['send', 'read'])),
    limit: Type.Optional(
      Type.Union([
        Type.Literal(false),
        Type.Object(
          { most: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.Null()])) },
          { additionalProperties: false },
        ),
      ]),
    ),
    limits: Type.Optional(Type.Array(Type.Union([Type.Union([Type.Integer(), Type.String()]), Type.Null()]))),
    clock: Type.Optional(
      Type.String({ pattern: '^\\d\\d:\\d\\d$', 'x-detail': 'must be a time such as 09:00' }),
    ),
    'a/b~c': Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);

function faults(value: unknown): string[] {
  try {
    compileBody(schema)(value);
    return [];
  } catch (error) {
    return (error as ProblemError).errors.map(({ pointer, code, detail }) => `${pointer} ${code}: ${detail}`);
  }
}

test('each fault is told once, with its pointer', () => {
  expect(faults({ name: 'ok' })).toEqual([]);
  expect(faults({ name: 'ok', extra: 1 })).toEqual(['/extra unknown_field: there is no such field']);
  expect(faults({})).toEqual(['/name required: is required']);
  expect(faults({ name: 'ok', kind: 'c' })).toEqual(['/kind invalid_value: must be "a" or "b"']);
  expect(faults({ name: 'ok', scope: 'c' })).toEqual(['/scope invalid_value: must be "send" or "read"']);
  expect(faults({ name: 5, count: 'x' })).toEqual([
    '/name wrong_type: must be string',
    '/count wrong_type: must be integer',
  ]);
});

test.each([
  [null, ' wrong_type: must be false or an object'],
  [true, ' invalid_value: must be false or an object'],
  [[], ' wrong_type: must be false or an object'],
  [{ most: 'x' }, '/most wrong_type: must be an integer or null'],
  [{ most: 0 }, '/most invalid_value: must be >= 1'],
  [{ extra: 1 }, '/extra unknown_field: there is no such field'],
])('of a choice the fault of what was chosen is told: %j', (limit, fault) => {
  expect(faults({ name: 'ok', limit })).toEqual([`/limit${fault}`]);
});

test('a choice of choices, and one among the elements of an array, is told as one', () => {
  const fault = 'wrong_type: must be an integer or a string or null';
  expect(faults({ name: 'ok', limits: [1, 'x', null] })).toEqual([]);
  expect(faults({ name: 'ok', limits: [true, 1, {}] })).toEqual([`/limits/0 ${fault}`, `/limits/2 ${fault}`]);
  expect(faults({ name: 'ok', kind: 5 })).toEqual(['/kind wrong_type: must be "a" or "b"']);
});

test('a pattern is told in words', () => {
  expect(faults({ name: 'ok', clock: '9:00' })).toEqual([
    '/clock invalid_value: must be a time such as 09:00',
  ]);
});

test('pointers escape what RFC 6901 says', () => {
  expect(faults({ name: 'ok', 'x/y~z': 1 })[0]).toMatch(/^\/x~1y~0z /);
  expect(faults({ name: 'ok', 'a/b~c': 1 })[0]).toMatch(/^\/a~1b~0c /);
});

test('bodies are taken as they are, texts of a query become what the schema wants', () => {
  expect(faults({ name: 'ok', count: '5' })).not.toEqual([]);
  const query = validatorCompiler({ schema, httpPart: 'querystring', method: 'GET', url: '/' });
  const read = (value: unknown) => query(value) as { value?: unknown; error?: ProblemError };
  expect(read({ name: 'ok', count: '5', on: 'true' })).toEqual({ value: { name: 'ok', count: 5, on: true } });
  for (const count of ['', ' 5', '5.0', '0x5', '1e3', '05', '99999999999999999999']) {
    expect(read({ name: 'ok', count }).error?.code).toBe('validation_failed');
  }
  for (const on of ['1', 'TRUE', 'yes', '']) expect(read({ name: 'ok', on }).error).toBeDefined();
});

test('a flood of faults is told in part', () => {
  const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`field${at}`, at]));
  expect(faults({ name: 'ok', ...many })).toHaveLength(100);
});
