import type { Answer, SendError } from '../../connectors/connector.ts';
import { backoff, scheduledWait } from '../../lib/backoff.ts';
import type { OnUncertain, RetryPolicy } from '../../message/route.ts';
import { stateNumber } from '../../message/state.ts';
import type { MessageOutcome } from '../outcomes/outcome-groups.ts';

export interface VerdictSettings {
  /** The attempt that was answered, 1 for the first. */
  attempt: number;
  /** Of them, those before the last replay: they are not held against the message. */
  attemptsBefore: number;
  policy: RetryPolicy;
  onUncertain: OnUncertain;
  /** Both on the monotonic clock. */
  nowMs: number;
  expiresAtMs: () => number;
  random: () => number;
}

/** Times that providers ask for are rounded up to this, so that answers of one moment share a retry. */
const retryAfterStepMs = 100;

/**
 * What an answer makes of a message: taken or refused for good, it is final; so is an uncertain one under the
 * policy `hold`. Anything else is tried again, until the attempts or the time are used up.
 */
export function verdict(answer: Answer, settings: VerdictSettings): MessageOutcome {
  const { attempt, attemptsBefore, policy, nowMs } = settings;
  if (answer.kind === 'sent') {
    const sent: MessageOutcome = { state: stateNumber.sent, attempt, atMs: nowMs };
    if (answer.providerRef !== undefined) sent.providerRef = bounded(answer.providerRef, refLengthMax);
    return sent;
  }
  const error = boundedError(answer.error);
  if (answer.kind === 'uncertain' && settings.onUncertain === 'hold') {
    return { state: stateNumber.uncertain, attempt, atMs: nowMs, error };
  }
  const tries = attempt - attemptsBefore;
  if (answer.kind === 'rejected' || tries >= policy.attemptsMax) {
    return { state: stateNumber.failed, attempt, atMs: nowMs, error };
  }
  const retryAfterMs = answer.kind === 'retry' ? (answer.retryAfterMs ?? 0) : 0;
  const notBeforeMs = retryAfterMs > 0 ? nowMs + retryAfterMs : 0;
  const waitMs = waitAfter(tries, policy, settings.random);
  const dueAtMs = Math.max(nowMs + waitMs, Math.ceil(notBeforeMs / retryAfterStepMs) * retryAfterStepMs);
  if (dueAtMs >= settings.expiresAtMs()) return { state: stateNumber.expired, attempt, atMs: nowMs, error };
  return { state: stateNumber.retrying, attempt, atMs: nowMs, error, dueAtMs, notBeforeMs };
}

function waitAfter(attempt: number, policy: RetryPolicy, random: () => number): number {
  const { waitsMs, backoffMinMs: minMs, backoffMaxMs: maxMs } = policy;
  if (waitsMs !== undefined) return scheduledWait({ attempt, waitsMs, random });
  return backoff({ attempt, minMs, maxMs, random });
}

const refLengthMax = 255;
const codeLengthMax = 100;
const detailLengthMax = 500;

/** A provider's own words may hold anything; PostgreSQL's text holds no NUL. */
export function boundedError(error: SendError): SendError {
  return { code: bounded(error.code, codeLengthMax), detail: bounded(error.detail, detailLengthMax) };
}

function bounded(text: string, lengthMax: number): string {
  const cut = text.length > lengthMax ? text.slice(0, lengthMax) : text;
  return cut.includes('\0') ? cut.replaceAll('\0', '') : cut;
}
