import { expect, test } from 'vitest';
import { ErrorLabels } from './error-labels.ts';

test('codes become labels up to a number for each route, and what may be content becomes none', () => {
  const labels = new ErrorLabels();
  for (const code of ['connection_refused', '21211', 'mailbox.full'])
    expect(labels.of('sms', code)).toBe(code);
  for (const text of ['+31612345678', '31612345678', 'Ann Bee', 'a@b.example', 'x'.repeat(65), '']) {
    expect(labels.of('sms', text)).toBe('other');
  }
  const told = new Set(Array.from({ length: 1_000 }, (_, n) => labels.of('sms', `code_${n}`)));
  expect(told.size).toBe(48);
  expect(labels.of('email', 'connection_refused')).toBe('connection_refused');
});
