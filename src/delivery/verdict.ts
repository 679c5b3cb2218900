import type { Answer, SendError } from '../connectors/connector.ts';
import { backoff } from '../lib/backoff.ts';
import type { RetryPolicy } from '../message/route.ts';
import { stateNumber } from '../message/state.ts';
import type { MessageOutcome } from './chunk-work.ts';

export interface VerdictSettings {
  /** The attempt that was answered, 1 for the first. */
  attempt: number;
  policy: RetryPolicy;
  /** Both on the monotonic clock. */
  nowMs: number;
  expiresAtMs: number;
  random: () => number;
}

/** Times that providers ask for are rounded up to this, so that answers of one moment share a retry. */
const retryAfterStepMs = 100;

/**
 * What an answer makes of a message under the policy `resend`: taken or refused for good, it is final;
 * anything else is tried again, until the attempts or the time are used up.
 */
export function verdict(answer: Answer, settings: VerdictSettings): MessageOutcome {
  const { attempt, policy, nowMs, expiresAtMs } = settings;
  if (answer.kind === 'sent') {
    const sent = { state: stateNumber.sent, attempt, atMs: nowMs };
    return answer.providerRef === undefined ? sent : { ...sent, providerRef: answer.providerRef };
  }
  const error = boundedError(answer.error);
  if (answer.kind === 'rejected' || attempt >= policy.attemptsMax) {
    return { state: stateNumber.failed, attempt, atMs: nowMs, error };
  }
  const retryAfterMs = answer.kind === 'retry' ? (answer.retryAfterMs ?? 0) : 0;
  const notBeforeMs = retryAfterMs > 0 ? nowMs + retryAfterMs : 0;
  const waitMs = backoff({
    attempt,
    minMs: policy.backoffMinMs,
    maxMs: policy.backoffMaxMs,
    random: settings.random,
  });
  const dueAtMs = Math.max(nowMs + waitMs, Math.ceil(notBeforeMs / retryAfterStepMs) * retryAfterStepMs);
  if (dueAtMs >= expiresAtMs) return { state: stateNumber.expired, attempt, atMs: nowMs, error };
  return { state: stateNumber.retrying, attempt, atMs: nowMs, error, dueAtMs, notBeforeMs };
}

const codeLengthMax = 100;
const detailLengthMax = 500;

/** A provider's own words may hold anything; PostgreSQL's text holds no NUL. */
export function boundedError(error: SendError): SendError {
  return { code: bounded(error.code, codeLengthMax), detail: bounded(error.detail, detailLengthMax) };
}

/** Text that PostgreSQL takes. */
export function bounded(text: string, lengthMax: number): string {
  return text.slice(0, lengthMax).replaceAll('\0', '');
}
