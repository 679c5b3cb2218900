import { randomBytes } from 'node:crypto';
import type { SecretBox } from '../../lib/secret-box.ts';

/** 24 random bytes: nothing to guess, and short enough for a form of a provider. */
const tokenBytes = 24;

export function makeReceiptsToken(): string {
  return randomBytes(tokenBytes).toString('base64url');
}

export function sealReceiptsToken(secrets: SecretBox, route: { name: string; token: string }): string {
  return secrets.seal(route.token, aboutToken(route));
}

/** @throws SecretBoxError when no key here opens it. */
export function openReceiptsToken(secrets: SecretBox, route: { name: string; sealed: string }): string {
  return secrets.open(route.sealed, aboutToken(route));
}

function aboutToken({ name }: { name: string }): string {
  return `route/${name}/receipts`;
}
