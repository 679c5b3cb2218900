import type { FastifyReply } from 'fastify';
import { type ErrorCode, errorCodes, type ProblemError } from '../../../message/error-codes.ts';

/** Of the classic API. */
export const classicCode = {
  notAllowed: 2,
  missing: 9,
  invalid: 10,
  notFound: 20,
  badRequest: 21,
  noCredit: 25,
  noSuchApi: 98,
  internal: 99,
} as const;

export interface ClassicError {
  code: (typeof classicCode)[keyof typeof classicCode];
  description: string;
  /** The field or parameter that is to blame. */
  parameter: string | null;
}

/** A refusal as the classic API words it, with a code of its own. */
export class ClassicRefusal extends Error {
  readonly status: number;
  readonly errors: ClassicError[];

  constructor(status: number, errors: ClassicError[]) {
    super(errors[0]!.description);
    this.name = 'ClassicRefusal';
    this.status = status;
    this.errors = errors;
  }
}

/** `{"errors": [{code, description, parameter}]}`. */
export function sendRefusal(reply: FastifyReply, { status, errors }: ClassicRefusal): FastifyReply {
  return reply
    .code(status)
    .header('content-type', 'application/json; charset=utf-8')
    .send(JSON.stringify({ errors }));
}

/** A problem of Millrace in the clothes of the classic API. */
export function sendProblemAsErrors(reply: FastifyReply, problem: ProblemError): FastifyReply {
  if (problem.retryAfterSeconds !== undefined) reply.header('retry-after', String(problem.retryAfterSeconds));
  const error = errorOf(problem);
  const known = statuses[problem.code];
  return sendRefusal(reply, new ClassicRefusal(known ?? errorCodes[problem.code].status, [error]));
}

function errorOf({ code, message }: ProblemError): ClassicError {
  const description = message.charAt(0).toLowerCase() + message.slice(1);
  switch (code) {
    case 'unauthorized':
      return {
        code: classicCode.notAllowed,
        description: 'Request not allowed (incorrect access_key)',
        parameter: 'access_key',
      };
    case 'not_found':
      return { code: classicCode.noSuchApi, description: 'API not found', parameter: null };
    case 'quota_exceeded':
    case 'credit_exhausted':
      return {
        code: classicCode.noCredit,
        description: `not enough credit: ${description}`,
        parameter: null,
      };
    default:
      return { code: codes[code] ?? classicCode.badRequest, description, parameter: null };
  }
}

/** The official clients read the errors of 401, 404, 405 and 422, and take other statuses for no answer. */
const statuses: Partial<Record<ErrorCode, number>> = {
  forbidden: 401,
  invalid_json: 422,
  quota_exceeded: 422,
  credit_exhausted: 422,
};

const codes: Partial<Record<ErrorCode, ClassicError['code']>> = {
  forbidden: classicCode.notAllowed,
  rate_limited: classicCode.notAllowed,
  no_default_route: classicCode.notAllowed,
  unknown_route: classicCode.notAllowed,
  internal: classicCode.internal,
  unavailable: classicCode.internal,
  stopping: classicCode.internal,
};
