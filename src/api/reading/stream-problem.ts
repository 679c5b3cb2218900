import type { FastifyRequest } from 'fastify';
import { logProblem, problemOf, problemText } from '../problem.ts';

/** The problem document of a failure that came when the answer's status was sent already; logged like others. */
export function streamProblem(request: FastifyRequest, error: unknown): string {
  const problem = problemOf(error);
  logProblem(request, error, problem);
  return problemText(problem);
}
