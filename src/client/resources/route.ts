import type { SendWindow } from './send-window.ts';

/** Fields of every route; the options of its connector stand beside them. */
export interface RouteFields {
  /** Fixes what `to` may be: a telephone number, an address, a URL. */
  channel?: Channel;
  ratePerSecond?: number;
  /** Requests at once. */
  concurrency?: number;
  /** Limits within those of the route. */
  destinations?: readonly DestinationLimit[];
  /** Outside of it nothing is sent. */
  sendWindow?: SendWindow;
  retry?: Partial<RetryPolicy>;
  /** `false`: it never stops sending because of failures. */
  breaker?: Partial<BreakerPolicy> | false;
  /** What becomes of sends of which nobody knows how they ended. */
  onUncertain?: 'resend' | 'hold';
  /** What the provider names messages by in its receipts: the key that was sent along (the default), or its own ids. */
  receiptsBy?: 'key' | 'providerRef';
  /** Ids of the accounts that may send through it; all when absent. */
  accounts?: readonly string[];
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
  /** In the place of the backoff: the wait after each attempt, and up to a fifth longer. The last one goes for all that follow. */
  waitsMs: readonly number[];
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

/** To administrators; others see the first four fields. */
export interface Route {
  name: string;
  connector: string;
  channel?: Channel | null;
  paused?: boolean;
  ratePerSecond?: number | null;
  concurrency?: number;
  destinations?: DestinationLimit[] | null;
  sendWindow?: SendWindow | null;
  /** Without the backoff where `waitsMs` takes its place. */
  retry?: Partial<RetryPolicy>;
  breaker?: BreakerPolicy | false;
  onUncertain?: 'resend' | 'hold';
  receiptsBy?: 'key' | 'providerRef';
  /** What its provider calls; null where it tells nothing. */
  receiptsUrl?: string | null;
  accounts?: string[] | null;
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
  metadata?: object;
}

/** What the provider made of a test message: `retry` certainly did not send it, `uncertain` may have. */
export interface RouteTest {
  id: string;
  result: 'sent' | 'rejected' | 'retry' | 'uncertain';
  providerRef?: string;
  error?: { code: string; detail: string };
  elapsedMs: number;
}
