import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';

/** Encrypts texts that only holders of a key may read. */
export interface SecretBox {
  /** Names the key that seals. */
  readonly keyId: string;
  /** `about` says what the text belongs to: sealed for one thing, it opens for no other. */
  seal(text: string, about: string): string;
  /** @throws SecretBoxError when no key here opens it, or it was sealed about something else, or altered. */
  open(sealed: string, about: string): string;
  /** Sealed by the key that seals now. */
  isCurrent(sealed: string): boolean;
}

export class SecretBoxError extends Error {
  override readonly name = 'SecretBoxError';
  readonly code: 'unknown_key' | 'damaged';

  constructor(code: SecretBoxError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

export const secretKeyBytes = 32;
/** The length that NIST SP 800-38D, 5.2.1.1 recommends; drawn at random, it is good for 2^32 texts a key. */
const nonceBytes = 12;
const tagBytes = 16;
const keyIdLength = 8;
/** Names the whole form: AES-256-GCM, then key id, nonce, tag and ciphertext. */
const version = 'mrs1';
const sealedForm = /^mrs1\.([\w-]{8})\.([\w-]{16})\.([\w-]{22})\.([\w-]*)$/;

/** The first key seals, all of them open. */
export function createSecretBox(keys: readonly Buffer[]): SecretBox {
  const byId = new Map(keys.map((key) => [idOf(key), key]));
  const [first] = keys;
  if (!first) throw new RangeError('a secret box needs a key');
  const keyId = idOf(first);
  return {
    keyId,
    seal(text, about) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', first, nonce, { authTagLength: tagBytes });
      cipher.setAAD(aadOf(keyId, about));
      const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      const parts = [nonce, cipher.getAuthTag(), ciphertext].map((part) => part.toString('base64url'));
      return [version, keyId, ...parts].join('.');
    },
    open(sealed, about) {
      const [, id = '', nonce = '', tag = '', ciphertext = ''] = sealedForm.exec(sealed) ?? [];
      if (id === '') throw new SecretBoxError('damaged', 'this is no sealed text');
      const key = byId.get(id);
      if (!key) throw new SecretBoxError('unknown_key', `it was sealed by the key ${id}, which is not here`);
      const options = { authTagLength: tagBytes };
      const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'), options);
      decipher.setAAD(aadOf(id, about)).setAuthTag(Buffer.from(tag, 'base64url'));
      try {
        return decipher.update(ciphertext, 'base64url', 'utf8') + decipher.final('utf8');
      } catch {
        throw new SecretBoxError('damaged', 'it was altered, or sealed for something else');
      }
    },
    isCurrent: (sealed) => sealed.startsWith(`${version}.${keyId}.`),
  };
}

/** Whether a text has the form of a sealed one. */
export function isSealed(text: string): boolean {
  return sealedForm.test(text);
}

/**
 * Keys of 32 bytes in base64 (plain or for URLs, padded or not) or hexadecimal, separated by commas or white space;
 * undefined when one is none.
 */
export function parseSecretKeys(text: string): Buffer[] | undefined {
  const words = text.split(/[\s,]+/).filter((word) => word !== '');
  const keys = words.map(parseKey);
  if (keys.length === 0 || keys.includes(undefined)) return undefined;
  return keys as Buffer[];
}

function parseKey(word: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/i.test(word)) return Buffer.from(word, 'hex');
  if (!/^[\w+/-]{43}=?$/.test(word)) return undefined;
  const key = Buffer.from(word, 'base64');
  return key.length === secretKeyBytes ? key : undefined;
}

function aadOf(keyId: string, about: string): Buffer {
  return Buffer.from(`${version}.${keyId}.${about}`);
}

/** Tells keys apart and nothing of them. */
function idOf(key: Buffer): string {
  return createHmac('sha256', key).update('millrace secret key id').digest('base64url').slice(0, keyIdLength);
}
