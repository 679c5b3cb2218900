/** What the API answers, as a client sees it. Unknown members are left alone: a newer server may send more. */

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

export type BatchState = 'open' | 'delivering' | 'paused' | 'canceled' | 'done';

export type BatchCounts = Record<MessageState | 'accepted' | 'rejected', number>;

export interface Batch {
  id: string;
  state: BatchState;
  route: string;
  /** Absent from servers before it. */
  routePaused?: boolean;
  priority?: 'interactive' | 'bulk';
  scheduledAt?: string | null;
  expiresAt?: string | null;
  orderingKey?: string | null;
  /** The first line that is not durable yet. */
  nextLine: number;
  counts: BatchCounts;
  createdAt: string;
  closedAt?: string | null;
  doneAt?: string | null;
  /** Only in the answer to a replay: null where it takes the owners of the messages to tell. */
  replayed?: number | null;
  /** Only in the answer to `resolve`: messages that have ceased to be uncertain. */
  settled?: number;
  [member: string]: unknown;
}

export interface NewBatch {
  route: string;
  from?: string;
  body?: string;
  subject?: string;
  priority?: 'interactive' | 'bulk';
  orderingKey?: string;
  start?: 'now' | 'close';
  tags?: string[];
  metadata?: Record<string, unknown>;
}

export interface LineError {
  line: number;
  code: string;
  detail: string;
}

export interface AppendAnswer {
  accepted: number;
  rejected: number;
  nextLine: number;
  /** The first 100. */
  errors: LineError[];
}

export interface NewMessage {
  to: string;
  from?: string;
  body?: string;
  html?: string;
  subject?: string;
  payload?: unknown;
  headers?: Record<string, string>;
  ref?: string;
  tags?: string[];
  metadata?: Record<string, unknown>;
  orderingKey?: string;
  route?: string;
  priority?: 'interactive' | 'bulk';
}

export interface SendAnswer {
  messages: { id: string; to: string; state: MessageState }[];
  errors: { index: number; code: string; detail: string }[];
}

export interface TimelineEntry {
  at: string;
  state: MessageState;
  attempt?: number;
  error?: { code: string; detail: string };
}

export interface Message {
  id: string;
  batchId?: string | null;
  route: string;
  to: string;
  from?: string | null;
  body?: string | null;
  ref?: string | null;
  scheduledAt?: string;
  expiresAt?: string;
  orderingKey?: string;
  state: MessageState;
  attempts: number;
  providerRef?: string;
  error?: { code: string; detail: string };
  createdAt: string;
  /** Only of a message that was asked for by id. */
  timeline?: TimelineEntry[];
  [member: string]: unknown;
}

export interface Erasure {
  messages: number;
  /** Stored answers to idempotent writes that named the recipient. */
  answers: number;
  complete: boolean;
}

export interface Route {
  name: string;
  connector: string;
  [member: string]: unknown;
}

/** What the provider made of a test message: `retry` certainly did not send it, `uncertain` may have. */
export interface RouteTest {
  id: string;
  result: 'sent' | 'rejected' | 'retry' | 'uncertain';
  providerRef?: string;
  error?: { code: string; detail: string };
  elapsedMs: number;
}

/** What one account sends through one route with one priority. */
export interface Lane {
  accountId: string;
  route: string;
  priority: 'interactive' | 'bulk';
  queued: number;
  aside: number;
  held: number;
  oldestDueAt: string | null;
  sentPerSecond: number;
  ratePerSecond: number | null;
  accountRatePerSecond: number | null;
  concurrency: number;
  share: number;
  breaker: string | null;
  /** Absent from older servers. */
  lastError?: { code: string; at: string } | null;
  paused: boolean;
}

export interface Account {
  id: string;
  name: string;
  limits?: { requestsPerSecond?: number; ratePerSecond?: number; messagesPerDay?: number };
  /** Null for an account that pays later; absent from older servers. */
  prepaid?: { currency: string; messageMicros: number } | null;
  [member: string]: unknown;
}

/** What an account has used on this day of UTC. Money is in millionths of the currency. */
export interface AccountUsage {
  /** Whether it is counted at all: it has a daily quota, or is prepaid. */
  metered: boolean;
  day: string;
  nextDayAt: string;
  messages: { used: number; limit: number | null; left: number | null };
  prepaid: { currency: string; balanceMicros: number; spentMicros: number } | null;
  [member: string]: unknown;
}

export interface NewCredit {
  amountMicros: number;
  currency: string;
  reason: string;
}

export interface Credit extends NewCredit {
  id: string;
  balanceMicros: number;
}

export interface Key {
  id: string;
  /** The key itself: only in the answer that made it. */
  key?: string;
  accountId?: string;
  scopes?: string[];
  [member: string]: unknown;
}
