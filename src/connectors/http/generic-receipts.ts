import { parseTime } from '../../lib/parse-time.ts';
import { verifyingKey } from '../../lib/standard-webhooks.ts';
import type { OptionProblem, ReceiptNews, ReceiptReading, ReceiptRequest, SendError } from '../connector.ts';
import { problem } from '../transport/option-checks.ts';
import { providerRef, providerRefProblem } from '../transport/provider-ref.ts';
import { isObject } from '../transport/reply-answer.ts';
import { receiptError } from './preset-fields.ts';
import { problemOfSigned } from './signed-receipt.ts';

/** Receipts in one callback. */
const receiptsMax = 10_000;

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
 * `{id?, providerRef?, status, error?: {code?, detail?}, at?}`, one, an array, or `{receipts: […]}`; by GET one in the query, with
 * `code` and `detail` of its error. A status other than "delivered" and "failed" changes nothing; what has another shape is refused as a whole, as its sender must be mended.
 */
export function readGenericReceipts(
  secret: string | undefined,
  request: ReceiptRequest,
  { nowMs }: { nowMs: number },
): ReceiptReading {
  const unsigned = secret === undefined ? undefined : problemOfSigned(verifyingKey(secret)!, request, nowMs);
  if (unsigned !== undefined) return { kind: 'refused', status: 401, detail: unsigned };
  const items = request.method === 'GET' ? [receiptInQuery(request.url)] : receiptItems(request.body);
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

function receiptInQuery(url: string): Record<string, unknown> {
  const { code, detail, ...receipt } = Object.fromEntries(new URL(url).searchParams);
  return { ...receipt, error: { code, detail } };
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
  if (key === undefined && ref === undefined) return nameProblem(item);
  if (typeof status !== 'string') return 'it has no status.';
  const time = at === undefined ? undefined : typeof at === 'string' ? parseTime(at) : null;
  if (time === null) return 'at is a time of RFC 3339, such as 2026-01-31T12:00:00Z.';
  if (status !== 'delivered' && status !== 'failed') return undefined;
  const error = status === 'failed' ? errorOf(item.error) : undefined;
  return { key, providerRef: ref, state: status, error, atMs: time?.getTime() };
}

/** Why a receipt names no message. */
function nameProblem({ id, providerRef: ref }: Record<string, unknown>): string {
  const problems = Object.entries({ id, providerRef: ref }).flatMap(([name, value]) => {
    const unusable = providerRefProblem(value);
    return unusable === undefined ? [] : [`its ${name} ${unusable}`];
  });
  return problems.length > 0 ? `${problems.join(', and ')}.` : 'it has neither an id nor a providerRef.';
}

/** `error` is text or `{code?, detail? or message?}`. */
function errorOf(error: unknown): SendError {
  return isObject(error)
    ? receiptError(error.code, error.detail ?? error.message)
    : receiptError(undefined, error);
}

function refusal(detail: string): ReceiptReading {
  return { kind: 'refused', status: 400, detail };
}
