import type { BatchState } from '../../../src/client/resources/batch.ts';
import type { MessageState } from '../../../src/client/resources/message.ts';

export type { BatchState } from '../../../src/client/resources/batch.ts';
export type { MessageState } from '../../../src/client/resources/message.ts';
export type { Statistics, StatisticsPoint } from '../../../src/client/resources/statistics.ts';
export type { Suppression } from '../../../src/client/resources/suppression.ts';
export type { WebhookEndpoint } from '../../../src/client/resources/webhook.ts';

/**
 * What the API answers, as far as the dashboard shows it: see /openapi.json. Where a client must bear members that are missing in
 * answers of older servers, the server of this page has them.
 */
export interface Page<Item> {
  data: Item[];
  next: string | null;
}

export interface Rates {
  accepted: number;
  sent: number;
  delivered: number;
  failed: number;
  retried: number;
  uncertain: number;
}

export interface LastError {
  code: string;
  at: string;
}

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
  lastError: LastError | null;
  paused: boolean;
  opensAt: string | null;
}

export interface LiveRoute extends Rates {
  name: string;
  paused: boolean;
  breaker: string | null;
  ratePerSecond: number | null;
  concurrency: number;
  queued: number;
  held: number;
  oldestDueAt: string | null;
  opensAt: string | null;
  lastError: LastError | null;
}

export interface LiveError {
  accountId: string;
  route: string;
  code: string;
  count: number;
}

export interface LiveWorker {
  id: string;
  host: string;
  pid: number;
  shards: number;
  leaving: boolean;
  reporting: boolean;
}

export interface LiveView {
  at: string;
  rates: Rates;
  backlog: { queued: number; held: number; aside: number; oldestDueAt: string | null };
  routes: LiveRoute[];
  lanes: Lane[];
  lanesTotal: number;
  errors: LiveError[];
  errorsTotal: number;
  errorMinutes: number;
  accounts: Record<string, string>;
  told: { workers: number; reporting: number };
  workers: LiveWorker[] | null;
  unownedShards: number | null;
}

export interface Batch {
  id: string;
  state: BatchState;
  route: string;
  routePaused: boolean;
  priority: 'interactive' | 'bulk';
  start: 'now' | 'close';
  nextLine: number;
  counts: Record<'accepted' | 'rejected' | MessageState, number>;
  tags: string[];
  metadata: Record<string, unknown>;
  template: string | null;
  templateVersion: number | null;
  scheduledAt: string | null;
  expiresAt: string | null;
  opensAt: string | null;
  test: boolean;
  createdAt: string;
  closedAt: string | null;
  doneAt: string | null;
}

export interface MessageError {
  code: string;
  detail: string | null;
}

export interface Message {
  id: string;
  batchId: string | null;
  route: string;
  to: string;
  from: string | null;
  body: string | null;
  ref: string | null;
  metadata: Record<string, unknown>;
  tags: string[];
  subject?: string;
  html?: string;
  template?: string;
  templateVersion?: number;
  payload?: unknown;
  scheduledAt?: string;
  expiresAt?: string;
  erased?: boolean;
  unreadable?: boolean;
  test?: boolean;
  state: MessageState;
  attempts: number;
  providerRef?: string;
  error?: MessageError;
  createdAt: string;
}

export interface Wait {
  reason: string;
  until?: string;
  messageId?: string;
}

export interface MessageWithTimeline extends Message {
  waitsFor?: Wait[];
  timeline: { at: string; state: MessageState; attempt?: number; error?: MessageError; dueAt?: string }[];
}

export interface BatchErrors {
  data: {
    code: string;
    state: MessageState;
    messages: number;
    lastAt: string;
    example: { id: string; detail: string | null };
  }[];
}

/** Others than administrators are shown the first three members alone. */
export interface Route {
  name: string;
  connector: string;
  channel: string | null;
  url?: string;
  ratePerSecond?: number | null;
  concurrency?: number;
  destinations?: unknown[] | null;
  retry?: Record<string, unknown>;
  breaker?: Record<string, unknown> | false;
  onUncertain?: string;
  receiptsUrl?: string | null;
  accounts?: string[] | null;
  paused?: boolean;
  createdAt?: string;
  updatedAt?: string;
  [option: string]: unknown;
}

export interface Account {
  id: string;
  name: string;
  weight: number;
  limits: {
    requestsPerSecond?: number;
    ratePerSecond?: number;
    messagesPerDay?: number;
    partsPerDay?: number;
  };
  defaultRoutes: Record<string, string>;
  createdAt: string;
}

export interface ApiKeyShown {
  id: string;
  accountId: string;
  hint: string;
  scopes: string[];
  test: boolean;
  createdAt: string;
  expiresAt: string | null;
  revokedAt: string | null;
}

export interface Template {
  id: string;
  name: string;
  channel: 'sms' | 'email' | 'webhook';
  version: number;
  subject?: string;
  body?: string;
  html?: string;
  variables: { required: string[]; optional: string[] };
  createdAt: string;
  changedAt: string;
}
