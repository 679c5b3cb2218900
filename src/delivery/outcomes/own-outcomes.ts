import { stateNumber } from '../../message/state.ts';
import type { MessageOutcome } from './outcome-groups.ts';

/** Outcomes that no provider's answer made. */
export function canceledAt(attempt: number, atMs: number): MessageOutcome {
  return { state: stateNumber.canceled, attempt, atMs };
}

export function interruptedAt(attempt: number, atMs: number): MessageOutcome {
  const error = {
    code: 'interrupted',
    detail: 'The worker ended after it began to send and before it recorded an answer',
  };
  return { state: stateNumber.uncertain, attempt, atMs, error };
}
