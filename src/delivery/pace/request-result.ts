import type { Answer } from '../../connectors/connector.ts';

/**
 * What a request as a whole says of its provider, whatever became of each message:
 * - `good`: it works, and took or refused messages on their merits;
 * - `refused`: it works, and asks for a slower pace;
 * - `failed`: it cannot be reached, does not answer, breaks, or lets nothing of the route in;
 * - `unsent`: nothing, the request was stopped on this side.
 */
export type RequestResult =
  | { readonly kind: 'good' }
  | { readonly kind: 'refused'; readonly retryAfterMs: number | undefined }
  | { readonly kind: 'failed' }
  | { readonly kind: 'unsent' };

const good: RequestResult = { kind: 'good' };
const failed: RequestResult = { kind: 'failed' };
const unsent: RequestResult = { kind: 'unsent' };

/** Codes of `connectors/send-errors.ts`: nothing got to the provider or past its door, and why is no message's fault. */
const shutOutCodes = new Set([
  'address_not_allowed',
  'dns_failure',
  'connection_refused',
  'connection_failed',
  'connect_timeout',
  'tls_failure',
  'credentials_refused',
  'credit_exhausted',
]);
const ownCodes = new Set([
  'aborted',
  'not_begun',
  'sender_busy',
  'sender_closed',
  'request_invalid',
  'unknown_endpoint',
  'endpoint_unknown_yet',
  'endpoint_disabled',
  'unknown_signing_key',
]);

/** One message that got through shows that the provider works; else the first answer speaks for all. */
export function requestResult(answers: readonly Answer[]): RequestResult {
  let first: Answer | undefined;
  for (const answer of answers) {
    if (isGood(answer)) return good;
    first ??= answer;
  }
  return first === undefined ? failed : resultOf(first);
}

function isGood(answer: Answer): boolean {
  return answer.kind === 'sent' || (answer.kind === 'rejected' && !ownCodes.has(answer.error.code));
}

function resultOf(answer: Answer): RequestResult {
  if (answer.kind === 'sent') return good;
  const { code } = answer.error;
  if (ownCodes.has(code)) return unsent;
  if (answer.kind !== 'retry' || shutOutCodes.has(code)) return failed;
  // A 503 that names a time has a plan; one that does not is a failure like any other.
  if (code === 'provider_unavailable' && answer.retryAfterMs === undefined) return failed;
  return { kind: 'refused', retryAfterMs: answer.retryAfterMs };
}
