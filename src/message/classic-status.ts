import type { State } from './state.ts';

/** What MessageBird's classic API says of a message to one recipient. */
export const classicStatuses = [
  'scheduled',
  'sent',
  'buffered',
  'delivered',
  'expired',
  'delivery_failed',
] as const;
export type ClassicStatus = (typeof classicStatuses)[number];

/** `sent` is on its way to the recipient, `buffered` what waits to be tried again or is not known. */
export function classicStatusOf(state: State): ClassicStatus {
  switch (state) {
    case 'queued':
    case 'sending':
    case 'sent':
      return 'sent';
    case 'retrying':
    case 'uncertain':
      return 'buffered';
    case 'delivered':
    case 'expired':
      return state;
    case 'failed':
    case 'canceled':
    case 'suppressed':
      return 'delivery_failed';
  }
}

/**
 * The status that a change of a message is reported with; undefined for one that is none in the words of the classic API: it is
 * told once that a message waits, of its first attempt, and not that it was canceled, by whoever did that.
 */
export function reportedStatus({
  state,
  attempt,
}: {
  state: State;
  attempt: number;
}): ClassicStatus | undefined {
  switch (state) {
    case 'queued':
    case 'sending':
    case 'canceled':
      return undefined;
    case 'retrying':
    case 'uncertain':
      return attempt > 1 ? undefined : classicStatusOf(state);
    default:
      return classicStatusOf(state);
  }
}
