import { type BatchCalls, batchCalls } from './calls/batch-calls.ts';
import {
  type AccountCalls,
  accountCalls,
  type KeyCalls,
  keyCalls,
  type RouteCalls,
  routeCalls,
} from './calls/control-calls.ts';
import {
  type MessageCalls,
  messageCalls,
  type RecipientCalls,
  recipientCalls,
} from './calls/message-calls.ts';
import type { ListOptions, SignalOptions } from './calls/options.ts';
import { type SigningKeyCalls, signingKeyCalls } from './calls/signing-key-calls.ts';
import { type SuppressionCalls, suppressionCalls } from './calls/suppression-calls.ts';
import { type TemplateCalls, templateCalls } from './calls/template-calls.ts';
import { type WebhookCalls, webhookCalls } from './calls/webhook-calls.ts';
import { type EventFeed, type EventOptions, eventFeed } from './event-feed.ts';
import { type Call, createHttp, type Reply } from './http.ts';
import type { Lane } from './resources/lane.ts';
import type { Statistics, StatisticsQuery } from './resources/statistics.ts';

export type { MessageQuery } from './calls/message-calls.ts';
export type { CallOptions, ListOptions, SignalOptions } from './calls/options.ts';
export {
  ApiError,
  ConnectionError,
  type Problem,
  type ProblemItem,
  SourceError,
  UploadError,
} from './client-error.ts';
export type { EventFeed, EventOptions, EventPage } from './event-feed.ts';
export type { ExportedLines, ExportLinesOptions, ExportOptions } from './export-batch.ts';
export type { CsvExport } from './export-csv.ts';
export { type FileSource, type FileSourceSettings, fileSource } from './file-source.ts';
export type { Call, Page, Reply } from './http.ts';
export type { LineSource } from './line-source.ts';
export { type StageConnection, type StagedMessage, type StageOptions, stage } from './outbox.ts';
export type * from './resources/account.ts';
export type * from './resources/batch.ts';
export type * from './resources/change-event.ts';
export type * from './resources/erasure.ts';
export type * from './resources/key.ts';
export type * from './resources/lane.ts';
export type * from './resources/message.ts';
export type * from './resources/route.ts';
export type * from './resources/send-window.ts';
export type * from './resources/signing-key.ts';
export type * from './resources/statistics.ts';
export type * from './resources/suppression.ts';
export type * from './resources/template.ts';
export type * from './resources/webhook.ts';
export type { BytesFormat, MessageSource } from './segments.ts';
export type { AppendOptions, SendOptions, SentBatch } from './send-batch.ts';
export type { UploadOptions } from './upload.ts';
export {
  verifyWebhook,
  type Webhook,
  WebhookError,
  type WebhookErrorCode,
  type WebhookHeaders,
  type WebhookSettings,
} from './verify-webhook.ts';
export type { WaitOptions } from './wait-until-done.ts';

export interface ClientOptions {
  /** Where the server listens: `http://127.0.0.1:8080`; with the path before `/v1`, where a proxy adds one. */
  url: string;
  /** The API key. */
  key?: string | undefined;
  /** Id of the account whose messages and batches are meant: another than the key's own needs the scope `admin`. */
  account?: string | undefined;
  /** Tries of one call; 429, 503 and broken connections are tried again. Default 5. */
  attemptsMax?: number;
  /** Whether a server that refuses connections is tried again too. Default true. */
  retryUnreachable?: boolean;
  /** The longest `Retry-After` that is waited for. Default 60,000 ms. */
  retryAfterMaxMs?: number;
  /** Connections kept open at once. Default 16. */
  connectionsMax?: number;
  /** Silence on a connection after which it counts as broken. Default 120,000 ms. */
  silenceMs?: number;
  userAgent?: string;
  /** Ends every call that brings no signal of its own. */
  signal?: AbortSignal;
}

/**
 * A client of Millrace's HTTP API without dependencies. Rejects with ApiError or ConnectionError. Members of answers
 * that have no type here are left alone: a newer server may send more.
 */
export interface Client {
  batches: BatchCalls;
  messages: MessageCalls;
  recipients: RecipientCalls;
  routes: RouteCalls;
  accounts: AccountCalls;
  keys: KeyCalls;
  /** The change feed, which can be gone on with from a `cursor` of it. */
  events(settings?: EventOptions): EventFeed;
  /** A template is named by its name or its id. */
  templates: TemplateCalls;
  /** A suppression is named by its id, or the number or address itself. */
  suppressions: SuppressionCalls;
  webhooks: WebhookCalls;
  signingKey: SigningKeyCalls;
  /** What waits and how it flows, of the whole installation or of the key's account. */
  lanes(query?: ListOptions & { route?: string }): AsyncGenerator<Lane, void, undefined>;
  /** What happened by the minute, hour or day. */
  statistics(query?: SignalOptions & StatisticsQuery): Promise<Statistics>;
  /** Any call of the API, for what has no method here, or where the headers of the answer are wanted. */
  call<T>(call: Call): Promise<Reply<T>>;
  /** Drops idle connections. */
  close(): void;
}

/** @throws TypeError when `url` is none of a server */
export function createClient(options: ClientOptions): Client {
  const http = createHttp({
    url: options.url,
    key: options.key,
    account: options.account,
    attemptsMax: options.attemptsMax ?? 5,
    retryUnreachable: options.retryUnreachable ?? true,
    retryAfterMaxMs: options.retryAfterMaxMs ?? 60_000,
    connectionsMax: options.connectionsMax ?? 16,
    silenceMs: options.silenceMs ?? 120_000,
    userAgent: options.userAgent ?? 'millrace-client',
    signal: options.signal,
  });
  return {
    batches: batchCalls(http),
    messages: messageCalls(http),
    recipients: recipientCalls(http),
    routes: routeCalls(http),
    accounts: accountCalls(http),
    keys: keyCalls(http),
    events: (settings = {}) => eventFeed(http, settings),
    templates: templateCalls(http),
    suppressions: suppressionCalls(http),
    webhooks: webhookCalls(http),
    signingKey: signingKeyCalls(http),
    lanes: ({ signal, ...query } = {}) => http.items({ path: '/v1/lanes', query, signal }),
    statistics: ({ signal, ...query } = {}) => http.value({ path: '/v1/statistics', query, signal }),
    call: (call) => http.call(call),
    close: () => http.close(),
  };
}
