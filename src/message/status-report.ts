import { createHash, createHmac, randomUUID } from 'node:crypto';
import type { ClassicStatus } from './classic-status.ts';

/** What a status report of MessageBird's classic API tells. */
export interface StatusReport {
  /** 32 hexadecimal digits. */
  id: string;
  reference: string;
  /** E.164, told without the plus. */
  to: string;
  status: ClassicStatus;
  /** RFC 3339. */
  at: string;
}

/** How long a request may be on its way: its receiver refuses a signature that is older. */
const validSeconds = 60;
/** A receiver whose clock is behind would refuse every attempt, as each is signed anew: the official one bears 5 s. */
const clockSecondsBehind = 60;

/** The URL that is asked to report a status: the sender's own, as it is, with more in its query. */
export function statusReportUrl(reportUrl: string, { id, reference, to, status, at }: StatusReport): string {
  const url = new URL(reportUrl);
  const statusDatetime = `${new Date(at).toISOString().slice(0, 19)}+00:00`;
  const told = new URLSearchParams({ id, reference, recipient: to.slice(1), status, statusDatetime });
  const before = url.search === '' ? '?' : `${url.search}&`;
  return `${url.origin}${url.pathname}${before}${told}`;
}

/**
 * The value of `MessageBird-Signature-JWT` for such a request: a JWT (RFC 7519) by HMAC with SHA-256 over what the
 * official clients verify, the whole URL as it is asked for and the body where there is one.
 */
export function signStatusReport(
  { url, body }: { url: string; body?: Uint8Array },
  { signingKey, nowMs }: { signingKey: string; nowMs: number },
): string {
  const issuedAt = Math.floor(nowMs / 1_000);
  const claims = {
    iss: 'MessageBird',
    iat: issuedAt,
    nbf: issuedAt - clockSecondsBehind,
    exp: issuedAt + validSeconds,
    jti: randomUUID(),
    url_hash: sha256(url),
    ...(body && body.length > 0 && { payload_hash: sha256(body) }),
  };
  const signed = `${base64url({ alg: 'HS256', typ: 'JWT' })}.${base64url(claims)}`;
  return `${signed}.${createHmac('sha256', signingKey).update(signed).digest('base64url')}`;
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

function base64url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
