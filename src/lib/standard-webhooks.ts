import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type Hmac,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';

/**
 * Signatures by the Standard Webhooks specification: over `<id>.<timestamp>.<body>`, `v1,` and an HMAC-SHA256, or `v1a,`
 * and an ed25519 signature, in base64; several in one header, so that a secret can be changed while the old one still counts.
 */
export interface SigningKey {
  scheme: 'v1' | 'v1a';
  key: KeyObject;
}

/** What is signed. The id must be the sender's own: a dot in a stranger's could pass for the border to the time. */
export interface SignedContent {
  id: string;
  /** Unix seconds. */
  timestamp: number;
  body: string | Uint8Array;
}

/** Bytes of a shared secret, by the specification. */
const secretBytes = { min: 24, max: 64 } as const;

/** A captured request may be repeated within this time, and a clock be wrong by it. By the specification's libraries. */
export const toleranceMs = 300_000;

/** Signatures in one header that are looked at. */
const signaturesMax = 32;

/** The key of `whsec_…` (shared) or `whsk_…` (ed25519, the seed alone or before the public key); undefined for other text. */
export function signingKey(secret: string): SigningKey | undefined {
  const shared = sharedKey(secret);
  if (shared !== undefined) return shared;
  const bytes = decoded(secret, 'whsk_');
  if (bytes?.length !== 32 && bytes?.length !== 64) return undefined;
  const pkcs8 = Buffer.concat([ed25519Pkcs8, bytes.subarray(0, 32)]);
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const isWhole = bytes.length === 32 || publicBytes(key).equals(bytes.subarray(32));
  return isWhole ? { scheme: 'v1a', key } : undefined;
}

/** The key of `whsec_…` or `whpk_…`, or undefined. */
export function verifyingKey(secret: string): SigningKey | undefined {
  const shared = sharedKey(secret);
  if (shared !== undefined) return shared;
  const bytes = decoded(secret, 'whpk_');
  if (bytes?.length !== 32) return undefined;
  const spki = Buffer.concat([ed25519Spki, bytes]);
  return { scheme: 'v1a', key: createPublicKey({ key: spki, format: 'der', type: 'spki' }) };
}

/** The value of `webhook-signature`: one signature a key. */
export function signatures(keys: readonly SigningKey[], content: SignedContent): string {
  let header = '';
  for (const { scheme, key } of keys) {
    const made =
      scheme === 'v1a'
        ? sign(null, signedBytes(content), key).toString('base64')
        : hmacOf(key, content).digest('base64');
    header += `${header === '' ? '' : ' '}${scheme},${made}`;
  }
  return header;
}

/** True when `header` holds a signature of `content` by `key`. The time is the caller's to judge. */
export function isSigned({ scheme, key }: SigningKey, content: SignedContent, header: string): boolean {
  return header
    .split(' ', signaturesMax)
    .map((part) => part.split(','))
    .filter(([found]) => found === scheme)
    .some(([, text]) => {
      const given = Buffer.from(text ?? '', 'base64');
      if (scheme === 'v1a') return verify(null, signedBytes(content), key, given);
      const expected = hmacOf(key, content).digest();
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
}

/** RFC 8410: what stands before the 32 bytes of an ed25519 key in PKCS #8 and in SPKI. */
const ed25519Pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const ed25519Spki = Buffer.from('302a300506032b6570032100', 'hex');

function sharedKey(secret: string): SigningKey | undefined {
  const bytes = decoded(secret, 'whsec_');
  if (bytes === undefined || bytes.length < secretBytes.min || bytes.length > secretBytes.max)
    return undefined;
  return { scheme: 'v1', key: createSecretKey(bytes) };
}

function decoded(secret: string, prefix: string): Buffer | undefined {
  const text = secret.startsWith(prefix) ? secret.slice(prefix.length) : '';
  // Buffer.from skips what is no base64.
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined;
}

function publicBytes(key: KeyObject): Buffer {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(ed25519Spki.length);
}

function hmacOf(key: KeyObject, { id, timestamp, body }: SignedContent): Hmac {
  const hmac = createHmac('sha256', key);
  // One call where one text does: each crosses into OpenSSL.
  if (typeof body === 'string') return hmac.update(`${id}.${timestamp}.${body}`);
  return hmac.update(`${id}.${timestamp}.`).update(body);
}

function signedBytes({ id, timestamp, body }: SignedContent): Buffer {
  return Buffer.concat([Buffer.from(`${id}.${timestamp}.`), Buffer.from(body as Uint8Array)]);
}
