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

/** `interactive` goes before `bulk`, without starving it. */
export type Priority = 'interactive' | 'bulk';

export type BatchState = 'open' | 'delivering' | 'paused' | 'canceled' | 'done';

export type BatchCounts = Record<MessageState | 'accepted' | 'rejected', number>;

/** When messages may leave, by the clocks on the wall of a time zone. */
export interface SendWindow {
  /** Those on which it opens. */
  days: ('mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun')[];
  /** `09:00`. */
  from: string;
  /** `20:00`, or `24:00` for the end of the day; before `from`: on the day after. */
  to: string;
  /** Such as `Europe/Amsterdam`, or `recipient`: that of the country of each number. */
  timeZone: string;
}

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
  /** Of lines that do not name their own, as the next two. */
  scheduledAt?: string | null;
  expiresAt?: string | null;
  orderingKey?: string | null;
  sendWindow?: SendWindow | null;
  /** While a window is closed: when what waits may leave. Null where that differs by recipient. */
  opensAt?: string | null;
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
  params?: Record<string, unknown>;
  /** Default `bulk`. */
  priority?: Priority;
  /** Delivery begins with the first durable chunk (`now`, the default), or when the batch is closed. */
  start?: 'now' | 'close';
  tags?: string[];
  metadata?: Record<string, unknown>;
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
  states: ('failed' | 'expired' | 'canceled' | 'uncertain')[];
  /** Only those that ended with this error. */
  errorCode?: string;
}

/** What an operator has found out about uncertain sends. */
export interface Resolution {
  as: 'sent' | 'failed';
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

/** A message of a batch: what it leaves out, the batch may set for all its lines. */
export interface NewLine {
  /** A telephone number, an address, or a URL, as the channel of the route has it; answers have the form that is kept. */
  to: string;
  from?: string;
  body?: string;
  html?: string;
  subject?: string;
  template?: string;
  params?: Record<string, unknown>;
  payload?: unknown;
  headers?: Record<string, string>;
  ref?: string;
  tags?: string[];
  metadata?: Record<string, unknown>;
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

export interface TimelineEntry {
  at: string;
  state: MessageState;
  attempt?: number;
  error?: SendError;
}

/** Why a message was not sent, or not at once. */
export interface SendError {
  code: string;
  detail: string | null;
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
  state: MessageState;
  attempts: number;
  /** The provider's own id. */
  providerRef?: string;
  error?: SendError;
  createdAt: string;
  /** Only of a message that was asked for by id. */
  timeline?: TimelineEntry[];
  [member: string]: unknown;
}

export interface Template {
  id: string;
  name: string;
  channel: Channel;
  version: number;
  subject?: string;
  body?: string;
  html?: string;
  variables: { required: string[]; optional: string[] };
  /** Only of a template that was asked for by itself. */
  versions?: { version: number; createdAt: string }[];
  [member: string]: unknown;
}

export interface NewTemplate {
  name: string;
  channel: Channel;
  subject?: string;
  body?: string;
  html?: string;
}

export interface TemplatePreview {
  version: number;
  subject?: string;
  body?: string;
  html?: string;
}

export interface Erasure {
  messages: number;
  /** Stored answers to idempotent writes that named the recipient. */
  answers: number;
  /** The recipient is on a suppression list, which goes on to hold without the address. Absent from older servers. */
  suppressed?: boolean;
  complete: boolean;
}

/** A recipient that gets nothing of the account on the channel. */
export interface Suppression {
  id: string;
  channel: 'sms' | 'email';
  /** Addresses in lower case; null once the person was erased, and it holds on. */
  to: string | null;
  reason: string | null;
  ref: string | null;
  createdAt: string;
}

export interface NewSuppression {
  to: string;
  channel: 'sms' | 'email';
  /** For people. */
  reason?: string;
  ref?: string;
}

export interface AddedSuppressions {
  /** How many of them are new. */
  added: number;
  suppressions: { id: string; channel: 'sms' | 'email'; to: string }[];
  /** Elements that were left out. */
  errors: { index: number; code: string; detail: string }[];
}

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
  state: MessageState | 'delivering' | 'paused' | 'done';
  attempt?: number;
  providerRef?: string;
  error?: SendError;
  [member: string]: unknown;
}

/** Fields of every route; the options of its connector stand beside them. */
export interface RouteFields {
  /** Fixes what `to` may be: a telephone number, an address, a URL. */
  channel?: Channel;
  ratePerSecond?: number;
  /** Requests at once. */
  concurrency?: number;
  /** Limits within those of the route. */
  destinations?: DestinationLimit[];
  /** Outside of it nothing is sent. */
  sendWindow?: SendWindow;
  retry?: Partial<RetryPolicy>;
  /** `false`: it never stops sending because of failures. */
  breaker?: Partial<BreakerPolicy> | false;
  /** What becomes of sends of which nobody knows how they ended. */
  onUncertain?: 'resend' | 'hold';
  /** Ids of the accounts that may send through it; all when absent. */
  accounts?: string[];
}

export type Channel = 'sms' | 'email' | 'webhook';

export interface DestinationLimit {
  /** The beginning of numbers (`+31`), a host or domain, all below one together (`*.example.com`), or every other (`*`). */
  match: string;
  ratePerSecond?: number;
  concurrency?: number;
}

export interface RetryPolicy {
  attemptsMax: number;
  backoffMinMs: number;
  backoffMaxMs: number;
  expireAfterMs: number;
}

export interface BreakerPolicy {
  failureRatio: number;
  requestsMin: number;
  windowMs: number;
  openMs: number;
  openMaxMs: number;
  probes: number;
}

/** A route by the `http` connector. */
export interface NewHttpRoute extends RouteFields {
  connector: 'http';
  /** Where messages are posted. */
  url: string;
  headers?: Record<string, string>;
  /** A JSON value with `{{field}}` in its strings, posted in place of the message's fields. */
  bodyTemplate?: unknown;
  /** Post `{messages: […]}` with up to `max` of them. */
  batch?: { max: number };
  timeoutMs?: number;
  /** Let the provider be on a private or loopback address. */
  allowPrivate?: boolean;
}

/** A route by any connector that the server has: its options are the server's to judge. */
export interface NewOtherRoute extends RouteFields {
  connector: string;
  [option: string]: unknown;
}

export type NewRoute = NewHttpRoute | NewOtherRoute;

/** To administrators; others see the first three fields. */
export interface Route {
  name: string;
  connector: string;
  channel?: Channel | null;
  ratePerSecond?: number | null;
  concurrency?: number;
  destinations?: DestinationLimit[] | null;
  sendWindow?: SendWindow | null;
  retry?: RetryPolicy;
  breaker?: BreakerPolicy | false;
  onUncertain?: 'resend' | 'hold';
  accounts?: string[] | null;
  paused?: boolean;
  createdAt?: string;
  updatedAt?: string;
  /** The options of the connector. */
  [option: string]: unknown;
}

export interface TestMessage {
  to: string;
  from?: string;
  body?: string;
  html?: string;
  subject?: string;
  payload?: unknown;
  headers?: Record<string, string>;
  ref?: string;
  metadata?: Record<string, unknown>;
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
  priority: Priority;
  /** Messages that have not come to their end; of those: */
  queued: number;
  /** they wait for a limit of the route's `destinations`; */
  aside: number;
  /** their batch is paused, or its window is closed. */
  held: number;
  /** Since when the oldest could have left; null when none is due. */
  oldestDueAt: string | null;
  /** Over the last second. */
  sentPerSecond: number;
  /** What the route may send now, and the account over all its routes; null for no limit. */
  ratePerSecond: number | null;
  accountRatePerSecond: number | null;
  /** Requests at once that the account may have on the route now. */
  concurrency: number;
  /** Of the route, by weight, while all of this priority that wait want it. */
  share: number;
  /** The worst over the workers; null where the route has none. */
  breaker: string | null;
  /** Absent from older servers. */
  lastError?: { code: string; at: string } | null;
  paused: boolean;
  /** While the window of the route is closed: when it opens. Absent from older servers. */
  opensAt?: string | null;
}

export interface NewAccount {
  /** Unique. */
  name: string;
  /** Share of capacity beside others. Default 1. */
  weight?: number;
  /** The routes of messages that name none, by channel. */
  defaultRoutes?: DefaultRoutes;
  /** Where telephone numbers are dialled that do not tell their country, by ISO 3166-1, such as `NL`; null for nowhere. */
  defaultCountry?: string | null;
  limits?: AccountLimits;
  /** Null: it pays later. */
  prepaid?: Prepaid | null;
}

export type DefaultRoutes = { [channel in Channel]?: string };

export interface AccountLimits {
  /** Of each of its keys, in each process of the server. */
  requestsPerSecond?: number;
  /** Messages that leave in a second, over all its routes. */
  ratePerSecond?: number;
  /** Messages that are taken in on a day of UTC. */
  messagesPerDay?: number;
  /** The same of the SMS that they take. */
  partsPerDay?: number;
}

/** What messages cost, in millionths of the currency; it is taken off a balance. */
export interface Prepaid {
  currency: string;
  messageMicros: number;
  /** Of each SMS that a message takes; absent for nothing. */
  partMicros?: number;
}

export interface Account {
  id: string;
  name: string;
  weight?: number;
  defaultRoutes?: DefaultRoutes;
  /** Where telephone numbers are dialled that do not tell their country, by ISO 3166-1, such as `NL`; null for nowhere. */
  defaultCountry?: string | null;
  limits?: AccountLimits;
  /** Null for an account that pays later; absent from older servers. */
  prepaid?: Prepaid | null;
  createdAt?: string;
  [member: string]: unknown;
}

/** What an account has used on this day of UTC. Money is in millionths of the currency. */
export interface AccountUsage {
  /** Whether it is counted at all: it has a daily quota, or is prepaid. */
  metered: boolean;
  day: string;
  nextDayAt: string;
  messages: { used: number; limit: number | null; left: number | null };
  parts: { used: number; limit: number | null; left: number | null };
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

/** `admin` covers the others, and accounts, keys and routes of the whole installation. */
export type Scope = 'send' | 'read' | 'manage' | 'admin';

export interface NewKey {
  scopes: Scope[];
  /** The account that it acts for; your own by default. */
  accountId?: string;
  /** RFC 3339. */
  expiresAt?: string;
  /** What it sends is simulated. Refused until the server has it. */
  test?: boolean;
}

/** An endpoint that is told of messages and batches. */
export interface WebhookEndpoint {
  id: string;
  name: string;
  url: string;
  events: string[];
  filter: { routes?: string[]; tags?: string[] };
  batchMax: number;
  state: 'enabled' | 'disabled';
  disabledReason?: string;
  disabledAt?: string;
  /** No request has succeeded since. */
  failingSince?: string;
  secrets: { hint: string; createdAt: string; expiresAt?: string }[];
  createdAt: string;
  /** What requests are signed with: only in the answer that made it. */
  secret?: string;
}

export interface NewWebhookEndpoint {
  name: string;
  url: string;
  events?: string[];
  filter?: { routes?: string[]; tags?: string[] };
  batchMax?: number;
}

/** What the status reports of an account's messages are signed with. */
export interface SigningKey {
  /** The last characters of the key. */
  hint: string;
  changedAt: string;
  /** The key itself: only in the answer that set it, and not in a repetition of that. */
  key?: string;
}

export interface Key {
  id: string;
  /** The key itself: only in the answer that made it, and not in a repetition of that. */
  key?: string;
  accountId?: string;
  /** The last characters of the key. */
  hint?: string;
  scopes?: Scope[];
  createdAt?: string;
  expiresAt?: string | null;
  revokedAt?: string | null;
  [member: string]: unknown;
}
