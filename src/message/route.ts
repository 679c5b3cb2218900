import type { Channel } from './fields.ts';
import type { SendWindow } from './send-window/send-window.ts';
import { callbackRouteName } from './webhook.ts';

/** When a message is tried again, and when Millrace gives up on it. */
export interface RetryPolicy {
  /** Attempts at most, the first included. */
  attemptsMax: number;
  /** The first wait is up to this long; it doubles with each attempt (full jitter). */
  backoffMinMs: number;
  /** No wait is longer, unless the provider's Retry-After asks for it. */
  backoffMaxMs: number;
  /** In the place of the backoff: the wait after each attempt, and up to a fifth longer. The last one goes for all that follow. */
  waitsMs?: readonly number[];
  /** Counted from the message's creation, while its windows are open: after it nothing is tried any more. */
  expireAfterMs: number;
}

/**
 * What a route gets that does not say: an outage of a few hours ends well (50 attempts, most of them a
 * quarter of an hour or half of it apart), one of a day is given up.
 */
export const retryDefaults: RetryPolicy = {
  attemptsMax: 50,
  backoffMinMs: 1_000,
  backoffMaxMs: 900_000,
  expireAfterMs: 86_400_000,
};

/** When a route stops sending to a provider that seems down, and how it finds out that it is back. */
export interface BreakerPolicy {
  /** It opens when so large a part of the requests failed, */
  failureRatio: number;
  /** of at least so many */
  requestsMin: number;
  /** that ended within this time. */
  windowMs: number;
  /** The first time open; it doubles while probes fail. */
  openMs: number;
  openMaxMs: number;
  /** Requests of one message that must pass for it to close. */
  probes: number;
}

export const breakerDefaults: BreakerPolicy = {
  failureRatio: 0.5,
  requestsMin: 20,
  windowMs: 10_000,
  openMs: 1_000,
  openMaxMs: 60_000,
  probes: 3,
};

export const concurrencyDefault = 64;

/** What a route sends to one of its destinations at most, over all accounts and workers. */
export interface DestinationLimit {
  /**
   * Numbers that begin with a prefix (`+31`; the longest counts), a host or domain (`example.com`), all below one
   * together (`*.example.com`), or every other host and domain for itself (`*`).
   */
  match: string;
  /** Messages. */
  ratePerSecond?: number;
  /** Requests at once that carry a message for it. */
  concurrency?: number;
}

export type OnUncertain = 'resend' | 'hold';

/** A named way out: connector, endpoint, credentials, pace, what to do with uncertain sends. */
export interface Route {
  id: number;
  name: string;
  connector: string;
  /** Fixes what `to` may be; without it, what the connector takes. */
  channel?: Channel;
  /** The connector's own options, credentials among them. */
  options: Record<string, unknown>;
  ratePerSecond?: number;
  /** Requests at once. */
  concurrency: number;
  /** Outside of it nothing is sent; absent for none. */
  sendWindow?: SendWindow;
  /** Absent for none. */
  destinations?: readonly DestinationLimit[];
  retry: RetryPolicy;
  breaker: BreakerPolicy | false;
  onUncertain: OnUncertain;
  /** Receipts name messages by the provider's own ids; absent where they echo the key that was sent along. */
  receiptsBy?: 'providerRef';
  /** The unguessable part of the URL that its provider calls; absent until one is wished for. */
  receiptsToken?: string;
  /** The accounts that may send through it; absent for all. */
  accounts?: readonly number[];
  paused: boolean;
  /** Raised by each change: a sender made for another version is out of date. */
  version: number;
  createdAt: Date;
  updatedAt: Date;
  /** A deleted route takes no new messages, and still delivers those that it has. */
  deleted: boolean;
}

/**
 * Whether messages of the account may take the route. What webhooks are told takes one that is nobody's to send through:
 * endpoints trust what comes by it, and an administrator may let it reach private addresses.
 */
export function mayUseRoute({ name, deleted, accounts }: Route, accountId: number): boolean {
  return !deleted && name !== callbackRouteName && (accounts === undefined || accounts.includes(accountId));
}
