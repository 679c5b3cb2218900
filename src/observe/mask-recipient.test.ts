import { expect, test } from 'vitest';
import { maskRecipient } from './mask-recipient.ts';

test('a masked recipient tells nobody who it is', () => {
  expect(maskRecipient('+31612345678')).toBe('+316******78');
  expect(maskRecipient('ann.bee@example.com')).toBe('a***@example.com');
  expect(maskRecipient('https://user:secret@example.com:8443/hook/token?key=1')).toBe(
    'https://example.com:8443/…',
  );
  for (const other of ['billing-endpoint', '12345', '', '@example.com', 'x://['])
    expect(maskRecipient(other)).toBe('***');
});
