import type { MessageState, Priority } from './message.ts';
import type { SendWindow } from './send-window.ts';

export type BatchState = 'open' | 'delivering' | 'paused' | 'canceled' | 'done';

export type BatchCounts = Record<MessageState | 'accepted' | 'rejected', number>;

export interface Batch {
  id: string;
  /** `open` until it is closed, `done` when every accepted message is in a final state. */
  state: BatchState;
  route: string;
  /** Absent from servers before it. */
  routePaused?: boolean;
  priority?: Priority;
  start?: 'now' | 'close';
  /** The first line that is not durable yet. */
  nextLine: number;
  /** The states from `queued` to `uncertain` sum up to `accepted`. */
  counts: BatchCounts;
  tags?: string[];
  metadata?: Record<string, unknown>;
  /** Of lines that do not name their own, as all up to `orderingKey`. */
  template?: string | null;
  /** The version that it had when the batch was made: lines are rendered by that. */
  templateVersion?: number | null;
  params?: Record<string, unknown>;
  scheduledAt?: string | null;
  expiresAt?: string | null;
  orderingKey?: string | null;
  sendWindow?: SendWindow | null;
  /** While a window is closed: when what waits may leave. Null where that differs by recipient. */
  opensAt?: string | null;
  /** Made with a test key: its messages are sent to nobody. Absent from servers before it. */
  test?: boolean;
  createdAt: string;
  closedAt?: string | null;
  doneAt?: string | null;
  [member: string]: unknown;
}

export interface ReplayedBatch extends Batch {
  /** Messages that are tried again: null where it takes their owners to tell. */
  replayed?: number | null;
}

export interface ResolvedBatch extends Batch {
  /** Messages that have ceased to be uncertain. */
  settled?: number;
}

/** How a batch is delivered, and defaults for its lines. */
export interface NewBatch {
  route: string;
  from?: string;
  body?: string;
  html?: string;
  subject?: string;
  headers?: Record<string, string>;
  /** Name of a template, in the place of `subject`, `body` and `html`. */
  template?: string;
  params?: object;
  /** Default `bulk`. */
  priority?: Priority;
  /** Delivery begins with the first durable chunk (`now`, the default), or when the batch is closed. */
  start?: 'now' | 'close';
  tags?: readonly string[];
  metadata?: object;
  /** RFC 3339; nothing is sent before. */
  scheduledAt?: string;
  /** RFC 3339; what is not sent by then expires. */
  expiresAt?: string;
  /** Messages of the account that share a key leave in order. */
  orderingKey?: string;
  /** Outside of it nothing is sent. */
  sendWindow?: SendWindow;
}

/** What a replay makes new attempts of. */
export interface ReplayFilter {
  states: readonly ('failed' | 'expired' | 'canceled' | 'uncertain')[];
  /** Only those that ended with this error. */
  errorCode?: string;
}

export interface AppendAnswer {
  accepted: number;
  rejected: number;
  nextLine: number;
  /** The first 100. */
  errors: LineError[];
}

/** Messages of a batch that came to a state by one error. */
export interface BatchError {
  code: string;
  state: MessageState;
  /** One that was tried or replayed again counts each time. */
  messages: number;
  lastAt: string;
  /** A message that did, and what its provider said. */
  example: { id: string; detail: string | null };
  [member: string]: unknown;
}

export interface LineError {
  line: number;
  code: string;
  detail: string;
}
