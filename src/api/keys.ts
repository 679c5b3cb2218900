import { createHash, randomBytes } from 'node:crypto';

/** 32 random bytes: nothing that could be guessed from the hash. */
const keyBytes = 32;
const hintLength = 4;

/** A new API key: `mr_` and 43 characters of base64url. */
export function makeKey(): string {
  return `mr_${randomBytes(keyBytes).toString('base64url')}`;
}

/** It has the form of `makeKey`: nobody finds one by trying. A configured administrator key may be shorter. */
export function isUnguessable(key: string): boolean {
  return /^mr_[\w-]{43}$/.test(key);
}

/** What is stored of a key. A plain SHA-256 is enough for a random secret of this length. */
export function hashKey(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

export function hintOf(key: string): string {
  return `…${key.slice(-hintLength)}`;
}
