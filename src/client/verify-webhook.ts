import { createHmac, createPublicKey, type KeyObject, timingSafeEqual, verify } from 'node:crypto';

export interface WebhookSettings {
  /** The body as it came, before anything parsed it: another spelling of the same JSON has another signature. */
  body: string | Uint8Array;
  /** Those of the request: of Node, of `fetch`, or any record of names and values. */
  headers: WebhookHeaders;
  /**
   * What the endpoint was given: `whsec_…` (HMAC-SHA256) or `whpk_…` (the public key of ed25519). Several while one takes
   * the place of another: each is good.
   */
  secret: string | readonly string[];
  /** How far the time of sending may be off, either way. Default five minutes. */
  toleranceMs?: number;
  /** Default `Date.now`. */
  nowMs?: () => number;
}

export type WebhookHeaders =
  | { get(name: string): string | null }
  | Record<string, string | readonly string[] | undefined>;

export interface Webhook<Payload = unknown> {
  /** The same whenever it is sent again: by it a repetition is known. */
  id: string;
  /** When this try was sent. */
  sentAt: Date;
  payload: Payload;
}

/** A request that is not to be believed. `bad_secret` and `bad_body` are no fault of the sender. */
export class WebhookError extends Error {
  override readonly name = 'WebhookError';
  readonly code: WebhookErrorCode;

  constructor(code: WebhookErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export type WebhookErrorCode =
  | 'missing_header'
  | 'bad_timestamp'
  | 'too_old'
  | 'too_new'
  | 'no_matching_signature'
  | 'bad_secret'
  | 'bad_body';

/** The tolerance that the reference libraries of the specification have. */
const toleranceDefaultMs = 300_000;
/** Signatures that are looked at: one for each of the sender's secrets, and two kinds of them. */
const signaturesMax = 32;
/** The specification's bounds are 24 and 64 bytes; some senders' are shorter. */
const secretBytesMin = 16;
const hmacPrefix = 'whsec_';
const publicKeyPrefix = 'whpk_';
/** DER of a public ed25519 key before its 32 bytes (RFC 8410). */
const publicKeyHead = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * Verifies a webhook by the Standard Webhooks specification (`v1` and `v1a` signatures of `id.timestamp.body`), and parses
 * its body.
 * @throws WebhookError
 */
export function verifyWebhook<Payload = unknown>(settings: WebhookSettings): Webhook<Payload> {
  const { headers, toleranceMs = toleranceDefaultMs, nowMs = Date.now } = settings;
  const keys = [settings.secret].flat().map(readKey);
  if (keys.length === 0) throw new WebhookError('bad_secret', 'there is no secret to verify by');
  const body = bytesOf(settings.body);
  const id = headerOf(headers, 'webhook-id');
  const timestamp = headerOf(headers, 'webhook-timestamp');
  const sentAtMs = checkTime(timestamp, { toleranceMs, nowMs: nowMs() });
  const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  const signatures = headerOf(headers, 'webhook-signature').split(' ').slice(0, signaturesMax);
  if (!signatures.some((signature) => keys.some((key) => key.signed(signed, signature)))) {
    throw new WebhookError('no_matching_signature', 'no signature is by a secret of this endpoint');
  }
  return { id, sentAt: new Date(sentAtMs), payload: parse<Payload>(body) };
}

interface Key {
  /** Whether `signature` (`v1,…` or `v1a,…`) is this key's of the bytes. */
  signed(bytes: Buffer, signature: string): boolean;
}

function readKey(secret: string): Key {
  if (secret.startsWith(publicKeyPrefix)) {
    const raw = Buffer.from(secret.slice(publicKeyPrefix.length), 'base64');
    if (raw.length !== 32) throw badSecret(`a ${publicKeyPrefix} key has 32 bytes, in base64`);
    const key = createPublicKey({
      key: Buffer.concat([publicKeyHead, raw]),
      format: 'der',
      type: 'spki',
    });
    return { signed: (bytes, signature) => isByPublicKey(bytes, signature, key) };
  }
  if (secret.startsWith('whsk_')) {
    throw badSecret('a whsk_ key signs, and belongs to the sender: verify by its whpk_ key');
  }
  const text = secret.startsWith(hmacPrefix) ? secret.slice(hmacPrefix.length) : secret;
  const key = Buffer.from(text, 'base64');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || key.length < secretBytesMin) {
    throw badSecret(`a ${hmacPrefix} secret is base64, of ${secretBytesMin} bytes or more`);
  }
  return { signed: (bytes, signature) => isByHmac(bytes, signature, key) };
}

function isByHmac(bytes: Buffer, signature: string, key: Buffer): boolean {
  const given = signatureOf(signature, 'v1');
  const own = createHmac('sha256', key).update(bytes).digest();
  return given.length === own.length && timingSafeEqual(given, own);
}

function isByPublicKey(bytes: Buffer, signature: string, key: KeyObject): boolean {
  const given = signatureOf(signature, 'v1a');
  return given.length === 64 && verify(null, bytes, key, given);
}

/** Empty for one of another version: a sender may send several. */
function signatureOf(text: string, version: string): Buffer {
  return text.startsWith(`${version},`) ? Buffer.from(text.slice(version.length + 1), 'base64') : Buffer.of();
}

function badSecret(message: string): WebhookError {
  return new WebhookError('bad_secret', message);
}

function bytesOf(body: string | Uint8Array): Buffer {
  if (typeof body === 'string') return Buffer.from(body);
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  throw new WebhookError(
    'bad_body',
    'give the body as it came, text or bytes, and not what was parsed of it',
  );
}

function headerOf(headers: WebhookHeaders, name: string): string {
  const found =
    typeof headers.get === 'function'
      ? headers.get(name)
      : Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  const value = Array.isArray(found) ? found[0] : found;
  if (typeof value === 'string' && value !== '') return value;
  throw new WebhookError('missing_header', `the request has no ${name}`);
}

function checkTime(text: string, { toleranceMs, nowMs }: { toleranceMs: number; nowMs: number }): number {
  if (!/^\d{1,12}$/.test(text)) {
    throw new WebhookError('bad_timestamp', 'webhook-timestamp is no number of seconds');
  }
  const sentAtMs = Number(text) * 1_000;
  if (sentAtMs < nowMs - toleranceMs) {
    throw new WebhookError('too_old', `it was sent at ${new Date(sentAtMs).toISOString()}, too long ago`);
  }
  if (sentAtMs > nowMs + toleranceMs) {
    throw new WebhookError(
      'too_new',
      `it was sent at ${new Date(sentAtMs).toISOString()}: look at the clocks`,
    );
  }
  return sentAtMs;
}

function parse<Payload>(body: Buffer): Payload {
  try {
    return JSON.parse(body.toString('utf8')) as Payload;
  } catch {
    throw new WebhookError('bad_body', 'the body is signed, and no JSON');
  }
}
