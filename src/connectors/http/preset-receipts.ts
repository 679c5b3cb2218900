import type { ReceiptNews, ReceiptReading, ReceiptRequest } from '../connector.ts';
import { isObject } from '../transport/reply-answer.ts';
import type { OptionValues, Preset } from './preset.ts';

/** Receipts in one callback: SendGrid gathers events for seconds, and posts 768 KiB at most. */
const receiptsMax = 10_000;

/** What a provider's callback says, as its preset reads it. */
export function readPresetReceipts(
  { receipts }: Preset,
  { options, request, nowMs }: { options: OptionValues; request: ReceiptRequest; nowMs: number },
): ReceiptReading {
  const distrust = receipts.distrust(options, request, { nowMs });
  if (distrust !== undefined) return { kind: 'refused', status: 403, detail: distrust };
  const body = bodyOf(receipts.format, request);
  const found = receipts.items === undefined ? body : receipts.items(body);
  const items = Array.isArray(found) ? found : [found];
  if (!items.every(isObject)) {
    const detail = `The body is not the ${receipts.format === 'json' ? 'JSON' : 'form'} that the preset reads.`;
    return { kind: 'refused', status: 400, detail };
  }
  if (items.length > receiptsMax) {
    return {
      kind: 'refused',
      status: 400,
      detail: `There are ${receiptsMax} receipts at most in one callback.`,
    };
  }
  const news: ReceiptNews[] = [];
  for (const item of items) {
    const one = receipts.news(item, request);
    if (one !== undefined) news.push(one);
  }
  return { kind: 'read', news, ignored: items.length - news.length };
}

function bodyOf(format: 'json' | 'form', { body }: ReceiptRequest): unknown {
  const text = Buffer.from(body).toString('utf8');
  if (format === 'form') return text === '' ? undefined : Object.fromEntries(new URLSearchParams(text));
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
