import type { MessageFields } from '../../message/fields.ts';
import type { ReceiptNews, SendError } from '../connector.ts';
import { oneLine, sendError } from '../send-errors.ts';
import { providerRef } from '../transport/provider-ref.ts';
import { isObject, providerCode } from '../transport/reply-answer.ts';
import type { PresetOption } from './preset.ts';

/** Where a provider keeps fields of ours: the key of the message comes back under this name. */
export const keyField = 'millrace_key';

export function matching(pattern: RegExp): (value: string) => boolean {
  return (value) => pattern.test(value);
}

/** The option of providers that take the address of receipts with each message. */
export const receiptUrl: PresetOption = {
  accepts: matching(/^https?:\/\/[^\s#]+$/),
  problem: 'receiptUrl is an http(s) URL without a fragment.',
  description: 'where the provider sends receipts, told with each message',
};

/** @throws Error that users read */
export function needed(value: string | undefined, name: string): string {
  if (value === undefined || value === '') throw new Error(`the message has no ${name}`);
  return value;
}

/** @throws Error that users read: an e-mail has text, HTML or both */
export function neededText({ body, html }: MessageFields): { body?: string; html?: string } {
  if (body === undefined && html === undefined) throw new Error('the message has neither body nor html');
  return { ...(body !== undefined && { body }), ...(html !== undefined && { html }) };
}

/** As providers take numbers that want no plus; names of senders stay as they are. */
export function withoutPlus(number: string): string {
  return number.startsWith('+') ? number.slice(1) : number;
}

/** Without the members that are not there. */
export function present(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

export function pairs(fields: Record<string, string | undefined>): [string, string][] {
  return Object.entries(fields).filter((pair): pair is [string, string] => pair[1] !== undefined);
}

export function basic(user: string, password: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}

/** A member of an object that came in, `{}` where there is none. */
export function memberOf(value: unknown, name: string): Record<string, unknown> {
  const member = isObject(value) ? value[name] : undefined;
  return isObject(member) ? member : {};
}

/** Characters of a provider's words on a message. */
const detailLengthMax = 500;

/** News of a message that has a key or a reference; undefined of one that has neither. */
export function newsOf(told: {
  state: ReceiptNews['state'];
  key?: unknown;
  providerRef?: unknown;
  code?: unknown;
  detail?: unknown;
  atMs?: number | undefined;
}): ReceiptNews | undefined {
  const { state, atMs } = told;
  const key = providerRef(told.key);
  const ref = providerRef(told.providerRef);
  if (key === undefined && ref === undefined) return undefined;
  const error = state === 'failed' ? receiptError(told.code, told.detail) : undefined;
  return { key, providerRef: ref, state, error, atMs: Number.isFinite(atMs) ? atMs : undefined };
}

/** The provider's code and words of a message that was not delivered. */
export function receiptError(code: unknown, detail: unknown): SendError {
  const made = sendError('undelivered');
  const words = typeof detail === 'string' ? oneLine(detail, detailLengthMax) : '';
  return { code: providerCode(code) ?? made.code, detail: words === '' ? made.detail : words };
}

/** Unix milliseconds of a time as text, or undefined. */
export function timeOf(value: unknown): number | undefined {
  const atMs = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : atMs;
}

/** Unix milliseconds of Unix seconds, or undefined. */
export function secondsOf(value: unknown): number | undefined {
  return typeof value === 'number' ? Math.round(value * 1_000) : undefined;
}
