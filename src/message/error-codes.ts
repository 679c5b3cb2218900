/**
 * The one catalogue of error codes that users meet: HTTP status and title of the problem document
 * (RFC 9457). Codes of single lines and array elements have status 422.
 */
export const errorCodes = {
  invalid_request: { status: 400, title: 'The request is malformed' },
  invalid_json: { status: 400, title: 'The body is not valid JSON' },
  unauthorized: { status: 401, title: 'The API key is missing or not valid' },
  receipt_unsigned: { status: 401, title: 'The receipt is not signed as the route demands' },
  credit_exhausted: { status: 402, title: 'The account has no credit left for this' },
  forbidden: { status: 403, title: 'The API key may not do this' },
  receipt_distrusted: { status: 403, title: 'What proves the receipt is missing or wrong' },
  not_found: { status: 404, title: 'There is no such thing' },
  method_not_allowed: { status: 405, title: 'The method is not allowed here' },
  request_timeout: { status: 408, title: 'The request took too long to arrive' },
  conflict: { status: 409, title: 'The request conflicts with the present state' },
  upload_line_mismatch: { status: 409, title: 'The upload does not continue where the batch ends' },
  upload_superseded: { status: 409, title: 'A newer upload to this batch has taken over' },
  batch_closed: { status: 409, title: 'The batch is closed' },
  idempotency_in_progress: { status: 409, title: 'The first request with this key is still running' },
  wrong_region: { status: 409, title: 'Writes are made in another region' },
  cursor_outdated: { status: 410, title: 'The place in the change feed is no longer known' },
  payload_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The content type is not supported' },
  expectation_failed: { status: 417, title: 'The Expect header cannot be met' },
  validation_failed: { status: 422, title: 'The request has invalid fields' },
  broken_upload: { status: 422, title: 'The upload cannot be read any further' },
  idempotency_key_reused: { status: 422, title: 'This idempotency key was used with another request' },
  not_available: { status: 422, title: 'This option is not available yet' },
  unknown_route: { status: 422, title: 'There is no such route' },
  unknown_template: { status: 422, title: 'There is no such template' },
  route_not_allowed: { status: 422, title: 'The account may not use this route' },
  no_default_route: { status: 422, title: 'No route was named and the account has no default' },
  headers_too_large: { status: 431, title: 'The URL and headers are too large' },
  quota_exceeded: { status: 429, title: 'The account has used up what it may send today' },
  overloaded: { status: 429, title: 'More comes in than can be stored; bulk has to wait' },
  rate_limited: { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'Something went wrong here' },
  unavailable: { status: 503, title: 'The service cannot take this right now' },
  stopping: { status: 503, title: 'The server is stopping' },
  forwarded_twice: { status: 508, title: 'The request was forwarded to a server that forwards it again' },
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** A problem in one field, line or array element. */
export interface ErrorItem {
  pointer?: string;
  line?: number;
  index?: number;
  code: string;
  detail: string;
}

/** An error that a user is meant to read; everything else becomes `internal` without its message. */
export class ProblemError extends Error {
  readonly code: ErrorCode;
  readonly errors: ErrorItem[];
  readonly retryAfterSeconds: number | undefined;
  /** Further members of the problem document, such as `nextLine`. */
  readonly extra: Record<string, unknown>;

  constructor(
    code: ErrorCode,
    detail: string,
    more: { errors?: ErrorItem[]; retryAfterSeconds?: number; extra?: Record<string, unknown> } = {},
  ) {
    super(detail);
    this.name = 'ProblemError';
    this.code = code;
    this.errors = more.errors ?? [];
    this.retryAfterSeconds = more.retryAfterSeconds;
    this.extra = more.extra ?? {};
  }
}
