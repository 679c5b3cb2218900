import type { SendError } from './connector.ts';

/**
 * The codes that connectors give to attempts that did not end in `sent`, with the sentence users read.
 * A provider's own code takes the place of `provider_rejected` where it sends one.
 */
const sendErrors = {
  address_not_allowed:
    'The provider resolves to a private or reserved address, which the route does not allow',
  dns_failure: 'The name of the provider could not be resolved',
  connection_refused: 'The provider refused the connection',
  connection_failed: 'No connection to the provider could be made',
  connect_timeout: 'The provider did not take the connection in time',
  tls_failure: 'No trusted TLS connection to the provider could be made',
  aborted: 'The attempt was stopped here',
  not_begun: 'The worker no longer had the right to send when the connection was there',
  sender_busy: 'Too many requests were waiting for a connection to the provider',
  sender_closed: 'The route was being closed',
  request_invalid: 'The request could not be formed',
  rate_limited: 'The provider asks for a slower pace',
  provider_unavailable: 'The provider takes nothing at the moment',
  provider_timeout: 'The provider did not answer in time',
  provider_error: 'The provider failed, and may or may not have taken the message',
  connection_lost: 'The connection broke before the provider had answered',
  response_malformed: 'The answer of the provider could not be read',
  response_too_large: 'The answer of the provider was larger than any answer should be',
  result_missing: 'The provider took the batch, but said nothing of this message',
  redirect_refused: 'The provider answered with a redirect, and redirects are not followed',
  provider_rejected: 'The provider refused the message',
  credentials_refused: 'The provider does not accept the credentials of the route',
  credit_exhausted: 'The account at the provider has no credit left',
  endpoint_failed: 'The endpoint answered that it failed',
  endpoint_gone: 'The endpoint wants no more messages',
  endpoint_disabled: 'The webhook is disabled',
  unknown_endpoint: 'The account has no webhook of that name',
  endpoint_unknown_yet:
    'The webhook, or the key that signs it, is not known here, and the database did not say whether it is there',
  unknown_signing_key: 'There is no key here that signs the status reports of the account',
  undelivered: 'The provider could not deliver the message',
} as const;

export type SendErrorCode = keyof typeof sendErrors;

/** A message that cannot be sent as it is: thrown where a request is made, and the answer is `rejected`. */
export class UnsendableError extends Error {
  override readonly name = 'UnsendableError';
  readonly error: SendError;

  constructor(code: SendErrorCode, cause?: string) {
    const error = sendError(code, cause);
    super(error.detail);
    this.error = error;
  }
}

/** Of faults in the making of a request, what users read. */
export function unsendable(fault: unknown): SendError {
  if (fault instanceof UnsendableError) return fault.error;
  return sendError('request_invalid', (fault as Error).message);
}

/** Characters of a detail, so that a provider's page of HTML does not end up in every outcome. */
const detailLengthMax = 500;

/** `cause` narrows the sentence down: a system error code, a status line, the provider's own words. */
export function sendError(code: SendErrorCode, cause?: string): SendError {
  const sentence = sendErrors[code];
  return { code, detail: cause ? oneLine(`${sentence} (${cause})`, detailLengthMax) : sentence };
}

/** `text` without control characters and runs of white space, cut to `lengthMax` characters. */
export function oneLine(text: string, lengthMax: number): string {
  const flat = text
    .slice(0, lengthMax * 2)
    .replace(/[\s\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim();
  if (flat.length <= lengthMax) return flat;
  return `${flat.slice(0, lengthMax - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
