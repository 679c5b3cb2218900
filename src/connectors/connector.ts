import type { Channel, MessageFields } from '../message/fields.ts';
import type { DestinationLimit, RetryPolicy } from '../message/route.ts';

/**
 * What a connector is told of one message. `key` goes to the provider as idempotency key or client
 * reference: the message id, or `<id>.<n>` for the n-th replay of a message that had failed.
 */
export interface OutgoingMessage {
  id: string;
  key: string;
  accountId: number;
  /** 1 for the first try. */
  attempt: number;
  fields: MessageFields;
  /** `fields.payload` as the text that was given, where that is known. */
  payloadText?: string | undefined;
}

/** Why an attempt did not end in `sent`, as users and operators read it. */
export interface SendError {
  /** One of the codes of `send-errors.ts`, or the provider's own, in snake_case. */
  code: string;
  /** One line, at most 500 characters, without secrets. */
  detail: string;
}

/**
 * What a provider made of a message. An answer is a value, never a thrown error:
 * - `sent`: it took the message;
 * - `rejected`: it refused for good, another try cannot help;
 * - `retry`: it certainly did not take the message (the send never began, or 429/503 refused it);
 * - `uncertain`: the send began and nobody knows how it ended (timeout, reset, other 5xx, missing result).
 */
export type Answer =
  | { kind: 'sent'; providerRef?: string }
  | { kind: 'rejected'; error: SendError }
  | { kind: 'retry'; error: SendError; retryAfterMs?: number }
  | { kind: 'uncertain'; error: SendError };

/** What a send is held to while it waits, from `send` until its answer. */
export interface SendTerms {
  /** Aborted before the request's first byte leaves, the answer is `retry`, after it `uncertain`. */
  signal: AbortSignal;
  /**
   * Asked at the last moment before the first byte leaves, when the connection is there and nothing is left to wait
   * for: the process may have been suspended at any moment before. Told no, nothing is sent, and the answer is
   * `retry` with the code `not_begun`. The same send may be asked more than once.
   */
  mayBegin: () => boolean;
}

/** A route's connection to its provider: made once per route version, used for many sends, closed in the end. */
export interface Sender {
  /** Messages that one request may carry; 1 for a provider that takes them singly. */
  readonly batchMax: number;
  /**
   * Hands 1 to `batchMax` messages over in one request and answers for each, in order. Never rejects:
   * a fault becomes an answer.
   */
  send(messages: readonly OutgoingMessage[], terms: SendTerms): Promise<Answer[]>;
  /**
   * What a provider that takes everything would make of a message: forms its request and hands it to nobody. `rejected` for one that cannot be formed, `retry`
   * while it is not known where it would go.
   */
  rehearse(message: OutgoingMessage): Answer;
  /** Closes sockets once requests in flight have ended. May be called twice. */
  close(): Promise<void>;
}

/** A problem in a route's options: `pointer` is a JSON pointer into them. */
export interface OptionProblem {
  pointer: string;
  code: string;
  detail: string;
}

export interface SenderSettings {
  /** The route's options, already accepted by `check`. */
  options: Record<string, unknown>;
  /** Requests at once: the most connections that the sender may open. */
  concurrency: number;
  /** For messages that go to an endpoint which their account has registered. */
  endpoints?: Endpoints;
}

/** The endpoints of all accounts, as this process knows them. */
export interface Endpoints {
  of(accountId: number, name: string): Endpoint | undefined;
  /** What the status reports of an account's messages are signed with. */
  signingKeyOf(accountId: number): string | undefined;
  /** True when what was stored before the call is known here, false when that cannot be found out at the moment. */
  catchUp(): Promise<boolean>;
}

/** Where an account wants to be called, and what such requests are signed with. */
export interface Endpoint {
  url: string;
  /** `whsec_…`, those that hold now; the newest first. */
  secrets: readonly string[];
  disabled: boolean;
}

/** A provider's later word on a message. */
// Made as a literal of all members, there or undefined: with `...(x && { x })` among them it takes V8 of Node 20 1.3 µs
// instead of 0.1, and each look at a member that is not there 0.8 µs instead of 0.05.
export interface ReceiptNews {
  /**
   * What Millrace had sent along as idempotency key or client reference (message id, or `<id>.<n>`), where the provider
   * echoes it.
   */
  key?: string | undefined;
  /** The provider's own id of the message. At least one of both is there. */
  providerRef?: string | undefined;
  state: 'delivered' | 'failed';
  error?: SendError | undefined;
  /** When it happened by the provider's clock, Unix milliseconds. */
  atMs?: number | undefined;
}

/** A provider's callback, as it came. */
export interface ReceiptRequest {
  method: string;
  /** As the provider called it: scheme, host, path and query. */
  url: string;
  /** By their names in lower case. */
  headers: Readonly<Record<string, string | undefined>>;
  body: Uint8Array;
}

/**
 * What a callback says, or why it is not believed:
 * - `read`: `news` in its order, and the answer that the provider wants, where it wants one;
 * - `refused`: 400 for what cannot be read, 401 and 403 for a signature that is missing or wrong.
 */
export type ReceiptReading =
  | {
      kind: 'read';
      news: ReceiptNews[];
      /** News that change nothing, such as "queued". */
      ignored: number;
      reply?: { status: number; contentType?: string; body?: string };
    }
  | { kind: 'refused'; status: 400 | 401 | 403; detail: string };

/** What routes get that do not say. */
export interface RouteDefaults {
  /** What their recipients are by nature: no route can have another one. */
  channel?: Channel;
  retry?: Partial<RetryPolicy>;
  destinations?: readonly DestinationLimit[];
}

/** One provider protocol. Configuration time (`check`) is apart from send time (`open`). */
export interface Connector {
  readonly name: string;
  /** What to do with uncertain sends when the route does not say. */
  readonly onUncertainDefault: 'resend' | 'hold';
  /**
   * Every message names its own endpoint. What one of them does says nothing of the next: no breaker opens for it, and
   * the route goes on at its pace.
   */
  readonly manyEndpoints?: boolean;
  /** JSON Schema of each option, for the documentation; `check` judges. */
  readonly optionSchemas: Readonly<Record<string, object>>;
  /** Every problem of a route's options; empty when they can be obeyed to the letter. */
  check(options: Record<string, unknown>): OptionProblem[];
  open(settings: SenderSettings): Sender;
  /** Of routes whose options `check` accepts. */
  routeDefaults?(settings: SenderSettings): RouteDefaults;
  /** Judges and reads a provider's callback; absent where a provider tells nothing later. Pure but for `nowMs`. */
  readReceipts?(
    options: Record<string, unknown>,
    request: ReceiptRequest,
    at: { nowMs: number },
  ): ReceiptReading;
}
