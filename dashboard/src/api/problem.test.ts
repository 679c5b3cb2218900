import { expect, test } from 'vitest';
import { asProblem, Problem, triedAgain } from './problem.ts';

const detailOf = (error: unknown, isRead?: true) => asProblem(error, isRead ? { isRead } : {}).detail;

test('what got no answer may have been done, and is said to be tried again by those who try again alone', () => {
  const lost = new TypeError('Failed to fetch');
  expect(detailOf(lost)).toBe('The server did not answer: whether this was done is not known.');
  expect(detailOf(lost, true)).toBe('The server did not answer.');
  const told = triedAgain(asProblem(lost, { isRead: true }));
  expect([told.code, told.detail]).toEqual(['unreachable', 'The server did not answer. It is tried again.']);
  const busy = new Problem({ status: 503, code: 'unavailable', detail: 'Busy.', members: { next: 1 } });
  expect(triedAgain(busy)).toMatchObject({ detail: 'Busy. It is tried again.', members: { next: 1 } });
});

test('what no other try mends is not said to be tried again', () => {
  const missing = new Problem({ status: 404, code: 'not_found', detail: 'None.' });
  const changed = asProblem(new DOMException('', 'NotReadableError'));
  expect(changed.detail).toBe('The file changed or cannot be read any more.');
  for (const problem of [missing, changed, asProblem(new DOMException('', 'AbortError'))]) {
    expect(triedAgain(problem)).toBe(problem);
  }
});
