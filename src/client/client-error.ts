/** One of the errors that a problem document lists: of a line, an element, or a field. */
export interface ProblemItem {
  line?: number;
  index?: number;
  pointer?: string;
  code: string;
  detail: string;
}

/** An RFC 9457 problem document, as far as it could be read. */
export interface Problem {
  type?: string;
  title?: string;
  status: number;
  code: string;
  detail: string;
  errors: ProblemItem[];
  /** Members that this version does not know, such as `nextLine`. */
  [member: string]: unknown;
}

/** The server answered, and the answer was no. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly problem: Problem;
  /** What `Retry-After` asked for, in ms. */
  readonly retryAfterMs: number | undefined;
  /** By which the server's log names the request. */
  readonly requestId: string | undefined;

  constructor(problem: Problem, answered: { retryAfterMs?: number; requestId?: string } = {}) {
    super(`${problem.status} ${problem.code}: ${problem.detail}`);
    this.problem = problem;
    this.retryAfterMs = answered.retryAfterMs;
    this.requestId = answered.requestId;
  }

  get status(): number {
    return this.problem.status;
  }

  /** Such as `not_found`; the API documentation has them all. */
  get code(): string {
    return this.problem.code;
  }
}

/**
 * No answer came. `unreachable`: no connection was made, so nothing was sent. `broken`: the connection ended
 * or went silent, and the server may or may not have done what was asked. `protocol`: it answered something
 * that Millrace does not.
 */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  readonly kind: 'unreachable' | 'broken' | 'protocol';

  constructor(kind: ConnectionError['kind'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** The input on this side cannot be sent: unreadable, changed meanwhile, or not what it was said to be. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
}

/**
 * An upload ended before its end, also by an abort. What came before line `nextLine` is durable in the batch, and more may
 * be where the connection was cut or nothing could be asked. It is still open, as a rule: call again with the same messages and
 * this key to go on there. `cause` says what happened: of an abort its reason.
 */
export class UploadError extends Error {
  override readonly name = 'UploadError';
  readonly batchId: string;
  readonly nextLine: number;
  /** Undefined of an append, which has none, and where nothing was taken, and the batch is canceled. */
  readonly idempotencyKey: string | undefined;

  constructor(upload: EndedUpload, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`${reason}; ${whatIsLeft(upload)}`, { cause });
    this.batchId = upload.batchId;
    this.nextLine = upload.nextLine;
    this.idempotencyKey = upload.idempotencyKey;
  }
}

interface EndedUpload {
  batchId: string;
  nextLine: number;
  idempotencyKey?: string;
  /** What has become of the batch. `canceled`: by this client, as it had nothing in it. */
  left: 'open' | 'closed' | 'canceled';
}

function whatIsLeft({ batchId, nextLine, idempotencyKey, left }: EndedUpload): string {
  if (left === 'canceled') return `nothing was taken, and batch ${batchId}, made for it, is canceled`;
  const durable = `batch ${batchId} is durable up to line ${nextLine - 1} and ${left}`;
  if (left === 'closed') return durable;
  if (idempotencyKey === undefined) return `${durable}: append the rest from there`;
  return `${durable}: send the same again with idempotencyKey ${JSON.stringify(idempotencyKey)} to go on there`;
}

/** Whether the same may go well a little later: no connection, a broken one, an overload, a server that restarts. */
export function mayPass(error: unknown): error is ConnectionError | ApiError {
  if (error instanceof ConnectionError) return error.kind !== 'protocol';
  return error instanceof ApiError && [429, 502, 503, 504].includes(error.status);
}

export function asSourceError(error: unknown, before = ''): SourceError {
  if (error instanceof SourceError) return error;
  return new SourceError(before + (error instanceof Error ? error.message : String(error)), { cause: error });
}

export function readProblem(status: number, text: string): Problem {
  const fallback = {
    status,
    code: `http_${status}`,
    detail: text.slice(0, 200).trim() || `HTTP status ${status}`,
    errors: [],
  };
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return fallback;
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return fallback;
  const members = body as Record<string, unknown>;
  return {
    ...members,
    status,
    code: typeof members.code === 'string' ? members.code : fallback.code,
    detail: [members.detail, members.title].find((part) => typeof part === 'string') ?? fallback.detail,
    errors: Array.isArray(members.errors) ? members.errors : [],
  } as Problem;
}
