import { createHash, randomBytes } from 'node:crypto';

/** 32 random bytes: nothing that could be guessed from the hash. */
const keyBytes = 32;
const hintLength = 4;

/** A new API key: `mr_` and 43 characters of base64url, with `test_` between them where it is a test key. */
export function makeKey({ test }: { test: boolean }): string {
  return `mr_${test ? 'test_' : ''}${randomBytes(keyBytes).toString('base64url')}`;
}

/** It has the form of `makeKey`: nobody finds one by trying. A configured administrator key may be shorter. */
export function isUnguessable(key: string): boolean {
  return /^mr_(test_)?[\w-]{43}$/.test(key);
}

/**
 * What is stored of a key. A plain SHA-256 is enough for a random secret of this length. That of a test key is another one than a
 * release from before test keys makes of it: to that release the key is unknown, and nothing is sent in earnest.
 */
export function hashKey(key: string): Buffer {
  return createHash('sha256')
    .update(isTestKey(key) ? `test key ${key}` : key)
    .digest();
}

/** By its form: nobody but `makeKey` makes one. */
export function isTestKey(key: string): boolean {
  return /^mr_test_[\w-]{43}$/.test(key);
}

export function hintOf(key: string): string {
  return `…${key.slice(-hintLength)}`;
}
