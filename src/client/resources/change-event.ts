import type { MessageState, SendError } from './message.ts';

/** One change of state of a message or a batch. */
export interface ChangeEvent {
  /** The same whenever the event is read. */
  id: string;
  at: string;
  type: 'message' | 'batch';
  /** Of a message. */
  messageId?: string;
  /** Null of a message sent singly. */
  batchId: string | null;
  state: MessageState | 'open' | 'delivering' | 'paused' | 'done';
  attempt?: number;
  providerRef?: string;
  error?: SendError;
  [member: string]: unknown;
}
