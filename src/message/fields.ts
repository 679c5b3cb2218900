import type { SendWindow } from './send-window/send-window.ts';
import type { StatusReport } from './status-report.ts';

/**
 * The fields of one message as a sender writes them, after the batch's defaults were filled in.
 * `to` is always there; what else a route needs is the connector's business.
 */
export interface MessageFields {
  to: string;
  from?: string;
  body?: string;
  html?: string;
  subject?: string;
  /** The name of a template that says body, HTML and subject, and what is filled in. They are not sent along. */
  template?: string;
  params?: Record<string, unknown>;
  payload?: unknown;
  headers?: Record<string, string>;
  ref?: string;
  tags?: string[];
  metadata?: Record<string, unknown>;
  /** Messages of one account that share it leave in the order in which they were accepted. It is not sent along. */
  orderingKey?: string;
  /** RFC 3339. Both steer the message and are not sent along. */
  scheduledAt?: string;
  expiresAt?: string;
  /** Where its status is reported, of a message of MessageBird's classic API. It is not sent along. */
  reportUrl?: string;
  /** The message is such a report, to the URL in `to`. */
  report?: StatusReport;
  /** The recipient was erased: nothing else is left, and nothing may be sent. */
  erased?: true;
  /** Only where it is shown: the stored text cannot be read. */
  unreadable?: true;
}

/**
 * What a batch may set for all its lines; a line's own field wins. Of `params`, those that a line does not name count
 * for it.
 */
export interface MessageDefaults
  extends Omit<MessageFields, 'to' | 'ref' | 'reportUrl' | 'report' | 'erased' | 'unreadable'> {
  /** The version that `template` meant when the batch was made: its id, and its number within the template. */
  templatePin?: number;
  templateVersion?: number;
  /** Outside of it nothing is sent. */
  sendWindow?: SendWindow;
  /** A test key has made the batch. */
  test?: true;
  /**
   * It is filled by one request, whose so many messages were judged and charged for when it was made: no other adds to it or
   * closes it.
   */
  atomic?: { messages: number };
}

export type Channel = 'sms' | 'email' | 'webhook';
export type Priority = 'interactive' | 'bulk';

/** Stored numbers: never renumber. Interactive sorts before bulk. */
export const priorityNumber = { interactive: 0, bulk: 1 } as const;

export function priorityName(number: number): Priority {
  return number === priorityNumber.interactive ? 'interactive' : 'bulk';
}
