import { expect, test } from 'vitest';
import { DatabaseError } from '../store/database-error.ts';
import { faultOf } from '../store/fault.ts';
import { serializeError } from './serialize-error.ts';

function databaseError(code: string): DatabaseError {
  const cause = Object.assign(new Error('it failed'), { code });
  return new DatabaseError(faultOf(cause), cause);
}

test('what the database says is told once, and without a trace where it is away', () => {
  expect(serializeError(databaseError('57P01'))).toEqual({
    ...{ type: 'DatabaseError', message: 'it failed', kind: 'unavailable', code: '57P01' },
  });
});

test('of a statement that is wrong it is told where it was made', () => {
  const { message, stack } = serializeError(databaseError('42P01')) as Record<string, string>;
  expect(message).toBe('it failed');
  expect(stack).toContain('serialize-error.test.ts');
});

test('any other error keeps its trace and its causes', () => {
  const error = new Error('outside', { cause: new Error('inside') });
  expect(serializeError(error)).toMatchObject({ message: 'outside: inside', stack: expect.any(String) });
});
