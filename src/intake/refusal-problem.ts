import type { RefusedBy } from '../message/allowance.ts';
import { type ErrorCode, ProblemError } from '../message/error-codes.ts';
import type { Refusal } from '../store/intake/charge.ts';

const problems: Record<RefusedBy, { code: ErrorCode; detail: string }> = {
  messages_per_day: {
    code: 'quota_exceeded',
    detail:
      'The account has taken in as many messages as its limits.messagesPerDay allows. It may send again from 00:00 UTC on.',
  },
  parts_per_day: {
    code: 'quota_exceeded',
    detail:
      'The messages taken in for the account need as many SMS as its limits.partsPerDay allows. It may send again from 00:00 UTC on.',
  },
  credit: {
    code: 'credit_exhausted',
    detail:
      'The prepaid balance of the account does not pay for this. Ask the operator for credit, then send it again.',
  },
};

/** What a sender is told of messages that the account may not send. */
export function refusalProblem({ by, retryAfterSeconds }: Refusal): ProblemError {
  const { code, detail } = problems[by];
  return new ProblemError(code, detail, retryAfterSeconds === undefined ? {} : { retryAfterSeconds });
}

/** The same of messages that an earlier try of the request was refused, for a reason that may have gone. */
export function refusedBeforeProblem(): ProblemError {
  return new ProblemError(
    'quota_exceeded',
    'The account had no quota or credit left for this when the request was first tried. Send it again under another key.',
    { retryAfterSeconds: 1 },
  );
}

/** What the account may send ends here, and the upload with it. */
export function refuse(
  { onRefused }: { onRefused: (refusal: Refusal) => void },
  refusal: Refusal | undefined,
): never {
  if (refusal === undefined) throw refusedBeforeProblem();
  onRefused(refusal);
  throw refusalProblem(refusal);
}
