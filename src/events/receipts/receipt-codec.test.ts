import { expect, test } from 'vitest';
import type { ReceiptNews } from '../../connectors/connector.ts';
import { decodeReceipts, encodeReceipts, forgetful } from './receipt-codec.ts';

test('receipts come back as they were stored, but for what may name a person', () => {
  const news: ReceiptNews[] = [
    { key: 'a', state: 'delivered' },
    { key: 'b', providerRef: 'r', state: 'delivered', atMs: 5 },
    { providerRef: 's', state: 'delivered' },
    { key: 'c', state: 'failed', error: { code: 'absent', detail: 'Nobody' }, atMs: 7 },
    { key: 'd', state: 'failed' },
  ];
  expect(decodeReceipts(encodeReceipts(news))).toEqual(news);
  const error = { code: 'absent', detail: 'ada@example.com at +31612345678 \ud800\0' };
  const [told] = decodeReceipts(encodeReceipts([{ key: 'x'.repeat(999), state: 'failed', error }]));
  expect(told!.key).toHaveLength(256);
  expect(told!.error!.detail).not.toMatch(/ada|6123|\0/);
});

test('of an unknown one is kept what it named, and no address', () => {
  const error = { code: 'absent', detail: 'words' };
  const id = '0199aaaa-bbbb-7c07-8000-000000000000';
  expect(forgetful({ key: id, state: 'failed', error, atMs: 5 })).toEqual({
    ...{ key: id, state: 'failed', error: { code: 'absent', detail: '' } },
  });
  expect(forgetful({ providerRef: 'SM1234567890', state: 'delivered' }).providerRef).toBe('SM1234567890');
  expect(forgetful({ providerRef: '+31612345678', state: 'delivered' }).providerRef).not.toContain('6123');
});
