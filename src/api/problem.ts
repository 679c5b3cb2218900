import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, errorCodes, ProblemError } from '../message/error-codes.ts';
import { DatabaseError } from '../store/database.ts';
import { describeFault } from '../store/describe-fault.ts';

export const problemContentType = 'application/problem+json';

/** Problems listed in one answer; `detail` says how many there are. */
const errorsListedMax = 100;
const retryAfterDefaultSeconds = 1;
/** Space does not come back within a second. */
const retryAfterFullSeconds = 30;

/** Answers with a problem document (RFC 9457). */
export function sendProblem(reply: FastifyReply, problem: ProblemError): FastifyReply {
  const { status } = errorCodes[problem.code];
  if (problem.retryAfterSeconds !== undefined) reply.header('retry-after', String(problem.retryAfterSeconds));
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  // As bytes: to a string Fastify would add a charset, which this media type does not have.
  return reply
    .code(status)
    .header('content-type', problemContentType)
    .send(Buffer.from(problemText(problem)));
}

export function problemText(problem: ProblemError): string {
  const { status, title } = errorCodes[problem.code];
  return JSON.stringify({
    type: `urn:millrace:problem:${problem.code}`,
    title,
    status,
    code: problem.code,
    detail: problem.message,
    ...(problem.errors.length > 0 && { errors: problem.errors.slice(0, errorsListedMax) }),
    ...problem.extra,
  });
}

/** What a user is told of an error; anything that nobody meant for a user becomes `internal`. */
export function problemOf(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof DatabaseError) return databaseProblem(error);
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  const known = typeof code === 'string' ? frameworkProblems[code] : undefined;
  if (known) return new ProblemError(known[0], known[1]);
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new ProblemError('invalid_request', 'the request could not be read');
  }
  return new ProblemError('internal', 'this is a defect or a wrong set-up; the server log has more');
}

/** Logs what the answer does not tell. */
export function logProblem(request: FastifyRequest, error: unknown, problem: ProblemError): void {
  const { status } = errorCodes[problem.code];
  if (status < 500 || problem.code === 'stopping') return;
  const fields = {
    err: error,
    requestId: request.id,
    method: request.method,
    route: request.routeOptions.url,
  };
  if (problem.code === 'internal') request.log.error(fields, 'request failed');
  else request.log.warn(fields, 'request refused for now');
}

/**
 * A fault that may pass is 503: the write did not happen, or nobody knows whether it did, and the client
 * finds out by asking again. Never a 2xx.
 */
function databaseProblem({ fault }: DatabaseError): ProblemError {
  if (fault.ambiguous) {
    return unavailable(`${describeFault(fault)}: ask again, with the same Idempotency-Key`);
  }
  switch (fault.kind) {
    case 'unavailable':
    case 'refused':
    case 'timeout':
    case 'conflict':
      return unavailable(describeFault(fault));
    case 'full':
      return unavailable(describeFault(fault), retryAfterFullSeconds);
    default:
      return new ProblemError('internal', 'this is a defect or a wrong set-up; the server log has more');
  }
}

function unavailable(detail: string, retryAfterSeconds = retryAfterDefaultSeconds): ProblemError {
  return new ProblemError('unavailable', detail, { retryAfterSeconds });
}

const frameworkProblems: Record<string, [ErrorCode, string]> = {
  FST_ERR_BAD_URL: ['invalid_request', 'the path is not valid percent-encoded UTF-8'],
  FST_ERR_MAX_PARAM_LENGTH: ['not_found', 'nothing has so long a name'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['payload_too_large', 'the body is larger than this endpoint takes'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'send application/json'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_request', 'the body is not as long as Content-Length says'],
};
