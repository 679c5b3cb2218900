import { ProblemError } from '../message/error-codes.ts';

export function supersededProblem(): ProblemError {
  return new ProblemError(
    'upload_superseded',
    'A newer upload to this batch, or its closing, has ended this one. Lines before nextLine are durable.',
  );
}
