import { createHmac, timingSafeEqual } from 'node:crypto';

/** True when `given` is the HMAC of the parts. Base64 and hex are compared by their bytes. */
export function isKeyedHash(
  given: string | undefined,
  hash: {
    algorithm: 'sha1' | 'sha256';
    encoding: 'base64' | 'base64url' | 'hex';
    key: string;
    parts: readonly (string | Uint8Array)[];
  },
): boolean {
  if (given === undefined) return false;
  const hmac = createHmac(hash.algorithm, hash.key);
  for (const part of hash.parts) hmac.update(part);
  return isSame(hmac.digest(), Buffer.from(given, hash.encoding));
}

/** Takes as long for the first byte that differs as for the last. */
export function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}
