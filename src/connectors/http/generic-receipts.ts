import { parseTime } from '../../lib/parse-time.ts';
import { isSigned, toleranceMs, verifyingKey } from '../../lib/standard-webhooks.ts';
import type { OptionProblem, ReceiptNews, ReceiptReading, ReceiptRequest, SendError } from '../connector.ts';
import { oneLine, sendError } from '../send-errors.ts';
import { problem } from '../transport/option-checks.ts';
import { providerRef } from '../transport/provider-ref.ts';
import { isObject, providerCode } from '../transport/reply-answer.ts';

/** Receipts in one callback. */
const receiptsMax = 10_000;

/** Characters of a provider's words on one message. */
const detailLengthMax = 500;

export const receiptSecretSchema = {
  type: 'string',
  description:
    'receipts must be signed with it by the Standard Webhooks specification: `whsec_…` (shared secret) or `whpk_…` (ed25519)',
};

export function checkReceiptSecret(value: unknown): OptionProblem[] {
  if (value === undefined) return [];
  if (typeof value === 'string' && verifyingKey(value) !== undefined) return [];
  const detail =
    'receiptSecret is "whsec_" and the base64 of 24 to 64 bytes, or "whpk_" and that of an ed25519 public key.';
  return [problem('/receiptSecret', 'invalid_value', detail)];
}

/**
 * `{id?, providerRef?, status, error?: {code?, detail?}, at?}`, one, an array, or `{receipts: […]}`. A status other than
 * "delivered" and "failed" changes nothing; what has another shape is refused as a whole, as its sender must be mended.
 */
export function readGenericReceipts(
  secret: string | undefined,
  request: ReceiptRequest,
  { nowMs }: { nowMs: number },
): ReceiptReading {
  const unsigned = secret === undefined ? undefined : refuseUnsigned(secret, request, nowMs);
  if (unsigned !== undefined) return unsigned;
  const items = receiptItems(request.body);
  if (items === undefined) return refusal('The body is no JSON object and no array of them.');
  if (items.length > receiptsMax)
    return refusal(`There are ${receiptsMax} receipts at most in one callback.`);
  const news: ReceiptNews[] = [];
  let ignored = 0;
  for (const [n, item] of items.entries()) {
    const read = readItem(item);
    if (typeof read === 'string') return refusal(`Receipt ${n + 1} of ${items.length}: ${read}`);
    if (read === undefined) ignored += 1;
    else news.push(read);
  }
  return { kind: 'read', news, ignored };
}

function refuseUnsigned(secret: string, request: ReceiptRequest, nowMs: number): ReceiptReading | undefined {
  const refused = (detail: string): ReceiptReading => ({ kind: 'refused', status: 401, detail });
  const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': header } = request.headers;
  if (id === undefined || time === undefined || header === undefined) {
    return refused(
      'Receipts are signed by Standard Webhooks: webhook-id, webhook-timestamp, webhook-signature.',
    );
  }
  const timestamp = /^\d{1,12}$/.test(time) ? Number(time) : 0;
  if (Math.abs(timestamp * 1_000 - nowMs) > toleranceMs) {
    return refused(`webhook-timestamp is not within ${toleranceMs / 1_000} seconds of the time here.`);
  }
  const isOurs = isSigned(verifyingKey(secret)!, { id, timestamp, body: request.body }, header);
  return isOurs ? undefined : refused('webhook-signature holds no signature by the secret of the route.');
}

function receiptItems(body: Uint8Array): unknown[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return undefined;
  }
  if (Array.isArray(value)) return value;
  if (!isObject(value)) return undefined;
  return Array.isArray(value.receipts) ? value.receipts : [value];
}

/** A receipt, undefined for one that changes nothing, or what is wrong. */
function readItem(item: unknown): ReceiptNews | undefined | string {
  if (!isObject(item)) return 'it is no object.';
  const { id, status, at } = item;
  const ref = providerRef(item.providerRef);
  const key = providerRef(id);
  if (key === undefined && ref === undefined) return 'it has neither an id nor a providerRef.';
  if (typeof status !== 'string') return 'it has no status.';
  const time = at === undefined ? undefined : typeof at === 'string' ? parseTime(at) : null;
  if (time === null) return 'at is a time of RFC 3339, such as 2026-01-31T12:00:00Z.';
  if (status !== 'delivered' && status !== 'failed') return undefined;
  return {
    ...(key !== undefined && { key }),
    ...(ref !== undefined && { providerRef: ref }),
    state: status,
    ...(status === 'failed' && { error: receiptError(item.error) }),
    ...(time !== undefined && { atMs: time.getTime() }),
  };
}

/** `error` is text or `{code?, detail? or message?}`. */
function receiptError(error: unknown): SendError {
  const words = isObject(error) ? (error.detail ?? error.message) : error;
  const made = sendError('undelivered');
  const code = isObject(error) ? providerCode(error.code) : undefined;
  return {
    code: code ?? made.code,
    detail: typeof words === 'string' && words !== '' ? oneLine(words, detailLengthMax) : made.detail,
  };
}

function refusal(detail: string): ReceiptReading {
  return { kind: 'refused', status: 400, detail };
}
