import type { Logger } from './log.ts';
import { maskRecipient, type RecipientsShown } from './mask-recipient.ts';

export interface AttemptEvent {
  messageId: string;
  /** Null for a message that was sent singly. */
  batchId: string | null;
  accountId: number;
  route: string;
  connector: string;
  priority: 'interactive' | 'bulk';
  /** 1 for the first try. */
  attempt: number;
  answer: 'sent' | 'rejected' | 'retry' | 'uncertain';
  /** Of the error, if it was not sent. The words of a provider are not logged: they may quote anything. */
  code?: string;
  /** From the beginning of the request to its answer. */
  tookMs: number;
  /** Messages of the same request. */
  requestMessages: number;
  to: string;
}

/** One line with all that is known of one try to hand a message over. */
export function logAttempt(log: Logger, event: AttemptEvent, recipients: RecipientsShown): void {
  const { to, tookMs, ...fields } = event;
  const shown = recipients === 'full' ? to : maskRecipient(to);
  log.info({ ...fields, to: shown, tookMs: Math.round(tookMs * 10) / 10 }, 'attempt');
}
