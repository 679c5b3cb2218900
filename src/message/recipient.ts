import { fieldLimits } from './field-limits.ts';

/**
 * What mail servers in practice take: an unquoted local part and a domain of labels, both also outside ASCII
 * (RFC 6531). Quoted local parts and address literals are refused.
 */
export function isEmail(bytes: Uint8Array, start: number, end: number): boolean {
  return isAddress(bytes, { start, end, domainByte });
}

/** The same, with a domain in lower case and in ASCII. */
export function isPlainEmail(bytes: Uint8Array, start: number, end: number): boolean {
  return isAddress(bytes, { start, end, domainByte: plainDomainByte });
}

/** An absolute http or https URL, or what may be the name of a webhook. */
export function isWebhookTarget(bytes: Uint8Array, start: number, end: number): boolean {
  return isHttpUrl(bytes, start, end) || isName(bytes, start, end);
}

/**
 * The form under which a recipient is looked up: the domain of an e-mail address in lower case (ASCII), all
 * else byte for byte. Stored filters and index rows depend on it: it must never change.
 */
export function lookupRecipient(to: Uint8Array): Uint8Array {
  if (to[0] === plus || isHttpScheme(to, 0, to.length)) return to;
  const at = to.lastIndexOf(atSign);
  if (at === -1) return to;
  let lowered = to;
  for (let p = at + 1; p < to.length; p++) {
    const byte = to[p]!;
    if (byte < 0x41 || byte > 0x5a) continue;
    if (lowered === to) lowered = Uint8Array.from(to);
    lowered[p] = byte + 0x20;
  }
  return lowered;
}

const plus = 0x2b;
const atSign = 0x40;
const dot = 0x2e;
const hyphen = 0x2d;
const underscore = 0x5f;
const webhookNameBytesMax = 64;

/** Of a webhook: see `webhookNamePattern`. */
function isName(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > webhookNameBytesMax) return false;
  for (let p = start; p < end; p++) {
    const byte = bytes[p]!;
    if (isDigit(byte) || (byte >= 0x61 && byte <= 0x7a)) continue;
    const atEdge = p === start || p === end - 1;
    if (atEdge || (byte !== dot && byte !== hyphen && byte !== underscore)) return false;
  }
  return end > start;
}

interface AddressRange {
  start: number;
  end: number;
  /** The bytes that its domain may have. */
  domainByte: Uint8Array;
}

function isAddress(bytes: Uint8Array, { start, end, domainByte }: AddressRange): boolean {
  if (end - start > fieldLimits.emailBytesMax) return false;
  let at = -1;
  for (let p = start; p < end; p++) {
    const byte = bytes[p]!;
    if (byte === atSign) {
      if (at !== -1) return false;
      at = p;
    } else if (emailByte[byte] === 0) {
      return false;
    }
  }
  if (at <= start || at - start > fieldLimits.emailLocalBytesMax) return false;
  return isDotted(bytes, start, at) && isDomain(bytes, { start: at + 1, end, domainByte });
}

/** RFC 5322 atext, the dot, and UTF-8 beyond ASCII. */
const emailByte = byteSet(
  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~.",
);

/** The domain of an address, and the host of a URL but for IPv6: letters, digits, hyphens, bytes beyond ASCII. */
const domainByte = byteSet('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.');
const plainDomainByte = byteSet('abcdefghijklmnopqrstuvwxyz0123456789-.').fill(0, 0x80);

function byteSet(characters: string): Uint8Array {
  const set = new Uint8Array(256).fill(1, 0x80);
  for (const character of characters) set[character.charCodeAt(0)] = 1;
  return set;
}

function isDotted(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end || bytes[start] === dot || bytes[end - 1] === dot) return false;
  for (let p = start + 1; p < end; p++) if (bytes[p] === dot && bytes[p - 1] === dot) return false;
  return true;
}

function isDomain(bytes: Uint8Array, { start, end, domainByte }: AddressRange): boolean {
  if (!isDotted(bytes, start, end)) return false;
  for (let p = start; p < end; p++) {
    const byte = bytes[p]!;
    if (domainByte[byte] === 0) return false;
    const atEdge = p === start || p === end - 1 || bytes[p - 1] === dot || bytes[p + 1] === dot;
    if (byte === hyphen && atEdge) return false;
  }
  return true;
}

function isHttpUrl(bytes: Uint8Array, start: number, end: number): boolean {
  if (!isHttpScheme(bytes, start, end)) return false;
  // The URL parser drops tabs and newlines and escapes spaces: what would be sent is then not what was given.
  for (let p = start; p < end; p++) if (bytes[p]! <= 0x20 || bytes[p] === 0x7f) return false;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
  return URL.canParse(text);
}

function isHttpScheme(bytes: Uint8Array, start: number, end: number): boolean {
  if ((bytes[start]! | 0x20) !== 0x68) return false;
  const head = Buffer.from(bytes.buffer, bytes.byteOffset + start, Math.min(8, end - start));
  return /^https?:\/\//i.test(head.toString('latin1'));
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
