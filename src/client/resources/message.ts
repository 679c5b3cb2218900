export type MessageState =
  | 'queued'
  | 'sending'
  | 'retrying'
  | 'sent'
  | 'delivered'
  | 'failed'
  | 'expired'
  | 'canceled'
  | 'suppressed'
  | 'uncertain';

/** `interactive` goes before `bulk`, without starving it. */
export type Priority = 'interactive' | 'bulk';

/** A message of a batch: what it leaves out, the batch may set for all its lines. */
export interface NewLine {
  /** A telephone number, an address, or a URL, as the channel of the route has it; answers have the form that is kept. */
  to: string;
  from?: string;
  body?: string;
  html?: string;
  subject?: string;
  template?: string;
  params?: object;
  payload?: unknown;
  headers?: Record<string, string>;
  ref?: string;
  tags?: readonly string[];
  metadata?: object;
  /** RFC 3339; nothing is sent before. */
  scheduledAt?: string;
  /** RFC 3339; what is not sent by then expires. */
  expiresAt?: string;
  /** Messages of the account that share a key leave in order. */
  orderingKey?: string;
}

/** A message by itself. */
export interface NewMessage extends NewLine {
  /** Default: the account's default route for the channel. */
  route?: string;
  /** Default `interactive`. */
  priority?: Priority;
}

export interface SendAnswer {
  messages: { id: string; to: string; state: MessageState }[];
  errors: { index: number; code: string; detail: string }[];
}

export interface Message {
  id: string;
  /** Null of a message sent singly. */
  batchId?: string | null;
  route: string;
  to: string;
  from?: string | null;
  body?: string | null;
  html?: string;
  subject?: string;
  /** `body`, `subject` and `html` are what this version of it makes of `params`. */
  template?: string;
  templateVersion?: number;
  params?: Record<string, unknown>;
  payload?: unknown;
  headers?: Record<string, string>;
  ref?: string | null;
  tags?: string[];
  metadata?: Record<string, unknown>;
  scheduledAt?: string;
  expiresAt?: string;
  orderingKey?: string;
  /** The recipient was erased: `to` is empty. */
  erased?: boolean;
  /** The stored text cannot be read, being damaged or of a later release: `to` is empty. */
  unreadable?: boolean;
  /** Sent with a test key: the attempt is simulated, nobody gets it. */
  test?: boolean;
  state: MessageState;
  attempts: number;
  /** The provider's own id. */
  providerRef?: string;
  error?: SendError;
  createdAt: string;
  /** When it came into its state. Absent from older servers. */
  stateAt?: string;
  /** All that keeps a message that was asked for by id and waits. Absent from older servers. */
  waitsFor?: Wait[];
  /** Only of a message that was asked for by id. */
  timeline?: TimelineEntry[];
  [member: string]: unknown;
}

export interface TimelineEntry {
  at: string;
  state: MessageState;
  attempt?: number;
  error?: SendError;
  /** Of `retrying`: when the next attempt is due. */
  dueAt?: string;
}

/** What keeps a message; `expiry`: it is past its `expiresAt`, and only its end is to come; `turn`: nothing else is known to, it is due. */
export interface Wait {
  reason:
    | 'batch_open'
    | 'batch_paused'
    | 'route_paused'
    | 'scheduled'
    | 'retry'
    | 'send_window'
    | 'earlier_message'
    | 'expiry'
    | 'turn';
  /** Where it ends by itself: when. */
  until?: string;
  /** Of `earlier_message`: the one of the same ordering key that has to come to its end first. */
  messageId?: string;
}

/** Why a message was not sent, or not at once. */
export interface SendError {
  code: string;
  detail: string | null;
}

/** What an operator has found out about uncertain sends. */
export interface Resolution {
  as: 'sent' | 'failed';
}
