import { stateNumber } from '../../message/state.ts';
import type { MessageOutcome } from '../outcomes/outcome-groups.ts';

/** What a worker has done since it started. Counted in messages but for `requests`. */
export interface DeliveryCounts {
  requests: number;
  attempts: number;
  sent: number;
  retried: number;
  failed: number;
  expired: number;
  canceled: number;
  suppressed: number;
  uncertain: number;
  delivered: number;
  receiptsMatched: number;
  receiptsRepeated: number;
  receiptsUnchanged: number;
  receiptsEarly: number;
  receiptsLate: number;
  receiptsUnknown: number;
}

export function noDeliveries(): DeliveryCounts {
  const messages = { sent: 0, retried: 0, failed: 0, expired: 0, canceled: 0, suppressed: 0, uncertain: 0 };
  const told = { receiptsMatched: 0, receiptsRepeated: 0, receiptsUnchanged: 0 };
  const astray = { receiptsEarly: 0, receiptsLate: 0, receiptsUnknown: 0 };
  return { requests: 0, attempts: 0, ...messages, delivered: 0, ...told, ...astray };
}

/** What became of one message. */
export function countOutcome(counts: DeliveryCounts, { state }: MessageOutcome): void {
  if (state === stateNumber.sent) counts.sent++;
  else if (state === stateNumber.retrying) counts.retried++;
  else if (state === stateNumber.expired) counts.expired++;
  else if (state === stateNumber.canceled) counts.canceled++;
  else if (state === stateNumber.suppressed) counts.suppressed++;
  else if (state === stateNumber.uncertain) counts.uncertain++;
  else counts.failed++;
}
