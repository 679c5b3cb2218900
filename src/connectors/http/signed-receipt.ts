import { isSigned, type SigningKey, toleranceMs } from '../../lib/standard-webhooks.ts';
import type { ReceiptRequest } from '../connector.ts';

/** What is wrong with a callback that should be signed by Standard Webhooks; undefined when nothing is. */
export function problemOfSigned(
  key: SigningKey,
  { headers, body }: ReceiptRequest,
  nowMs: number,
): string | undefined {
  const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': header } = headers;
  if (id === undefined || time === undefined || header === undefined) {
    return 'Receipts are signed by Standard Webhooks: webhook-id, webhook-timestamp, webhook-signature.';
  }
  const timestamp = /^\d{1,12}$/.test(time) ? Number(time) : 0;
  if (Math.abs(timestamp * 1_000 - nowMs) > toleranceMs) {
    return `webhook-timestamp is not within ${toleranceMs / 1_000} seconds of the time here.`;
  }
  if (isSigned(key, { id, timestamp, body }, header)) return undefined;
  return 'webhook-signature holds no signature by the secret of the route.';
}
