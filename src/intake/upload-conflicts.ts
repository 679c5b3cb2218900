import { ProblemError } from '../message/error-codes.ts';

/** With `atomic=true` a batch is one request's alone. */
export function filledByOneRequest(batch: string): ProblemError {
  const detail = `Batch ${batch} is filled by one request, with atomic=true, and nothing of it leaves before all is there: send that request again with its Idempotency-Key, or cancel the batch.`;
  return new ProblemError('conflict', detail);
}

export function supersededProblem(): ProblemError {
  return new ProblemError(
    'upload_superseded',
    'A newer upload to this batch, or its closing, has ended this one. Lines before nextLine are durable.',
  );
}
