import type { ReceiptNews } from '../../connectors/connector.ts';
import { decodeChunk, encodeChunk } from '../../message/chunk-codec.ts';
import { parseProviderKey } from '../../message/fold-outcomes.ts';
import { mayNamePerson, withoutPersons } from '../../message/may-name-person.ts';

/** Characters of a provider's id of a message, as where it is taken from an answer; of a key that is none of ours. */
const refLengthMax = 256;
const codeLengthMax = 64;
const detailLengthMax = 500;

/** Each as an array, which is compact and quick to read: state, key, reference, code, detail, time. */
type StoredReceipt = ['d' | 'f', string | 0, string | 0, string?, string?, number?];

/** What says no more than `delivered` of a key, which most do, and all others. */
interface StoredReceipts {
  keys: string[];
  others: StoredReceipt[];
}

/**
 * Receipts as they are stored until they are matched: nothing else is kept of what the provider posted. What it says of a
 * failure is kept without what may name a person, because erasing does not look here. Their order is not kept.
 */
export function encodeReceipts(news: readonly ReceiptNews[]): {
  codec: number;
  payload: Uint8Array<ArrayBuffer>;
} {
  const stored: StoredReceipts = { keys: [], others: [] };
  for (const each of news) {
    if (each.state === 'delivered' && each.key !== undefined && isPlain(each))
      stored.keys.push(cut(each.key));
    else stored.others.push(storedOf(each));
  }
  return encodeChunk(Buffer.from(JSON.stringify(stored)));
}

export function decodeReceipts({ codec, payload }: { codec: number; payload: Uint8Array }): ReceiptNews[] {
  const { keys, others } = JSON.parse(Buffer.from(decodeChunk(codec, payload)).toString()) as StoredReceipts;
  const news: ReceiptNews[] = keys.map((key) => ({ key, state: 'delivered' }));
  for (const [state, key, providerRef, code, detail = '', atMs] of others) {
    news.push({
      key: key === 0 ? undefined : key,
      providerRef: providerRef === 0 ? undefined : providerRef,
      state: state === 'd' ? 'delivered' : 'failed',
      error: code ? { code, detail } : undefined,
      atMs,
    });
  }
  return news;
}

/** Of one that no message was found for: what it named, and no more. */
export function forgetful(news: ReceiptNews): ReceiptNews {
  const { key, providerRef, state, error } = news;
  return {
    key: key !== undefined && !parseProviderKey(key) ? withoutAddress(key) : key,
    providerRef: providerRef === undefined ? undefined : withoutAddress(providerRef),
    state,
    error: error && { code: error.code, detail: '' },
  };
}

function storedOf({ key, providerRef, state, error, atMs }: ReceiptNews): StoredReceipt {
  const named: StoredReceipt = [
    state === 'delivered' ? 'd' : 'f',
    key === undefined ? 0 : cut(key),
    providerRef === undefined ? 0 : cut(providerRef),
  ];
  if (error === undefined && atMs === undefined) return named;
  const { code = '', detail = '' } = error ?? {};
  const whole: StoredReceipt = [...named.slice(0, 3), code.slice(0, codeLengthMax), masked(detail)] as never;
  if (atMs !== undefined) whole.push(atMs);
  return whole;
}

function isPlain({ providerRef, error, atMs }: ReceiptNews): boolean {
  return providerRef === undefined && error === undefined && atMs === undefined;
}

function cut(text: string): string {
  return storable(text.length > refLengthMax ? text.slice(0, refLengthMax) : text);
}

function masked(detail: string): string {
  const text = storable(detail.slice(0, detailLengthMax));
  return mayNamePerson(text) ? withoutPersons(text) : text;
}

/** PostgreSQL's text holds neither U+0000 nor half of a surrogate pair. */
function storable(text: string): string {
  return /[\0\p{Surrogate}]/u.test(text) ? Buffer.from(text.replaceAll('\0', '')).toString() : text;
}

/** Ids of providers are often numbers, so that a number alone tells nothing; an address or a URL does. */
function withoutAddress(text: string): string {
  return /@|%40|:\/\/|^\+/.test(text) ? withoutPersons(text) : text;
}
