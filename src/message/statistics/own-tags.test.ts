import { expect, test } from 'vitest';
import { ownTagsOf } from './own-tags.ts';

test('a tag that names the recipient is not counted by its name, which would outlive the erasure of the person', () => {
  const of = (to: string, tags: string[]) => ownTagsOf(JSON.stringify({ to, tags }));
  const number = '+31612345678';
  expect(of(number, ['spring', number, 'to 0031 6-1234 5678', '0612345678', '2026-11-29'])).toEqual([
    ...['spring', '(others)', '(others)', '(others)', '2026-11-29'],
  ]);
  expect(of('Ada@example.com', ['ada@EXAMPLE.com', 'for ada@example.com', 'ada'])).toEqual([
    ...['(others)', '(others)', 'ada'],
  ]);
  expect(ownTagsOf('{"to":"+31612345678","body":"x"}')).toBeUndefined();
});
