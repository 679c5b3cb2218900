import type { FastifyRequest } from 'fastify';
import { allows } from '../message/api-key.ts';
import { ProblemError } from '../message/error-codes.ts';

/** Where what is named belongs to one account. */
const ofAccounts = /^\/v1\/(batches|messages|suppressions|templates|webhooks)\b/;

/**
 * What an administrator did not find may be another account's: a request looks into one, that of its key unless it names
 * another. The same problem, saying so.
 */
export function tellLookedIn(problem: ProblemError, { caller, routeOptions }: FastifyRequest): ProblemError {
  if (problem.code !== 'not_found' || !ofAccounts.test(routeOptions.url ?? '')) return problem;
  if (!caller || caller.actsFor !== undefined || !allows(caller.scopes, 'admin')) return problem;
  return new ProblemError(
    'not_found',
    `${problem.message} in account ${caller.accountId}; Millrace-Account names another: see GET /v1/accounts`,
  );
}
