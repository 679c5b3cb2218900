import { performance } from 'node:perf_hooks';
import { Fifo } from '../../lib/fifo.ts';
import type { Answer, OutgoingMessage, SendError, Sender, SendTerms } from '../connector.ts';
import type { SendErrorCode } from '../send-errors.ts';
import { sendError } from '../send-errors.ts';
import { connectProvider } from './connect-provider.ts';
import type { Reply } from './request-slot.ts';
import { RequestSlot } from './request-slot.ts';
import { SignalWatch } from './signal-watch.ts';

/** What is posted: names and values of headers in turn, as undici takes them with the least work. */
export interface PostedRequest {
  headers: string[];
  body: string;
}

/** How messages become a request and its reply their answers: singly or as a batch. */
export interface Exchange {
  readonly batchMax: number;
  readonly responseBytesMax: number;
  /** Throws, for its reason to be read by users, where messages cannot be posted. */
  request(messages: readonly OutgoingMessage[]): PostedRequest;
  answers(messages: readonly OutgoingMessage[], reply: Reply): Answer[];
}

export interface HttpSenderSettings {
  url: URL;
  exchange: Exchange;
  concurrency: number;
  timeoutMs: number;
  allowPrivate: boolean;
}

/** A connection attempt gets this much of the request's time at most. */
const connectTimeoutMsMax = 10_000;

/** Sends that may wait for a connection, for each connection there is. */
const waitingPerConnectionMax = 16;

/** Deadlines are looked at this often: a tenth of the timeout, within these bounds. */
const sweepMs = { min: 5, max: 250 } as const;

interface Request {
  readonly messages: readonly OutgoingMessage[];
  readonly terms: SendTerms;
  readonly resolve: (answers: Answer[]) => void;
  /** When it came, then when it got a connection: waiting does not shorten the provider's time. */
  sinceMs: number;
}

/** What a cancelled request is told, by how far it had come. */
interface CancelCodes {
  queued: SendErrorCode;
  connecting: SendErrorCode;
  begun: SendErrorCode;
}

/** One request over HTTP/1.1 for each `send`, on at most `concurrency` kept-alive connections. */
export class HttpSender implements Sender {
  readonly batchMax: number;
  readonly #settings: HttpSenderSettings;
  readonly #path: string;
  readonly #slots: RequestSlot<Request>[] = [];
  /** Last in, first out: the warmest connection is used, surplus ones fall idle and close. */
  readonly #idle: RequestSlot<Request>[] = [];
  #runningCount = 0;
  readonly #waiting = new Fifo<Request>();
  readonly #signals = new SignalWatch(() => this.#cancelAborted());
  #sweeper: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;
  #drained: (() => void) | undefined;

  constructor(settings: HttpSenderSettings) {
    const { url, exchange, concurrency, timeoutMs, allowPrivate } = settings;
    this.#settings = settings;
    this.#path = url.pathname + url.search;
    this.batchMax = exchange.batchMax;
    const connectTimeoutMs = Math.min(timeoutMs, connectTimeoutMsMax);
    const slotSettings = {
      origin: url.origin,
      connect: connectProvider({ allowPrivate, connectTimeoutMs }),
      responseBytesMax: exchange.responseBytesMax,
      onReply: (request: Request, reply: Reply) => this.#onReply(request, reply),
      onFree: (slot: RequestSlot<Request>) => this.#onFree(slot),
    };
    // A slot opens its connection with its first request.
    for (let n = 0; n < concurrency; n++) this.#slots.push(new RequestSlot(slotSettings));
    this.#idle.push(...this.#slots);
  }

  send(messages: readonly OutgoingMessage[], terms: SendTerms): Promise<Answer[]> {
    const refusal = this.#refusal(terms.signal);
    if (refusal !== undefined) return Promise.resolve(this.#unsent(messages, refusal));
    return new Promise((resolve) => {
      const request = { messages, terms, resolve, sinceMs: performance.now() };
      this.#signals.add(terms.signal);
      this.#sweeper ??= setTimeout(() => this.#sweep(), this.#sweepEveryMs());
      const slot = this.#idle.pop();
      if (slot === undefined) this.#waiting.push(request);
      else this.#start(slot, request);
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#drain().then(async () => {
      clearTimeout(this.#sweeper);
      this.#signals.close();
      await Promise.all(this.#slots.map((slot) => slot.close()));
    });
    return this.#closed;
  }

  get #busy(): boolean {
    return this.#runningCount > 0 || this.#waiting.length > 0;
  }

  #refusal(signal: AbortSignal): SendError | undefined {
    if (this.#closed !== undefined) return sendError('sender_closed');
    if (signal.aborted) return sendError('aborted');
    const waitingMax = this.#settings.concurrency * waitingPerConnectionMax;
    return this.#waiting.length >= waitingMax ? sendError('sender_busy') : undefined;
  }

  #unsent(messages: readonly OutgoingMessage[], error: SendError): Answer[] {
    return this.#settings.exchange.answers(messages, { kind: 'unsent', error });
  }

  #start(slot: RequestSlot<Request>, request: Request): void {
    const { exchange } = this.#settings;
    let posted: PostedRequest;
    try {
      posted = exchange.request(request.messages);
    } catch (fault) {
      const error = sendError('request_invalid', (fault as Error).message);
      this.#settle(request, this.#unsent(request.messages, error));
      this.#onFree(slot);
      return;
    }
    this.#runningCount += 1;
    request.sinceMs = performance.now();
    slot.start(request, { path: this.#path, ...posted, mayBegin: request.terms.mayBegin });
  }

  #onReply(request: Request, reply: Reply): void {
    this.#runningCount -= 1;
    this.#settle(request, this.#settings.exchange.answers(request.messages, reply));
  }

  #onFree(slot: RequestSlot<Request>): void {
    const next = this.#nextWaiting();
    if (next === undefined) this.#idle.push(slot);
    else this.#start(slot, next);
  }

  /** Those before it that may not begin any more are told so. */
  #nextWaiting(): Request | undefined {
    let next = this.#waiting.shift();
    while (next !== undefined && !next.terms.mayBegin()) {
      this.#settle(next, this.#unsent(next.messages, sendError('not_begun')));
      next = this.#waiting.shift();
    }
    return next;
  }

  #settle(request: Request, answers: Answer[]): void {
    this.#signals.remove(request.terms.signal);
    request.resolve(answers);
    if (this.#drained !== undefined && !this.#busy) this.#drained();
  }

  #drain(): Promise<void> {
    if (!this.#busy) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained = resolve;
    });
  }

  #cancelAborted(): void {
    this.#cancelWhere((request) => request.terms.signal.aborted, {
      queued: 'aborted',
      connecting: 'aborted',
      begun: 'aborted',
    });
  }

  /** One timer for all requests: a timer each would cost more than the rest of the bookkeeping. */
  #sweep(): void {
    const expiredMs = performance.now() - this.#settings.timeoutMs;
    this.#cancelWhere((request) => request.sinceMs <= expiredMs, {
      queued: 'sender_busy',
      connecting: 'connect_timeout',
      begun: 'provider_timeout',
    });
    this.#sweeper = this.#busy ? setTimeout(() => this.#sweep(), this.#sweepEveryMs()) : undefined;
  }

  #sweepEveryMs(): number {
    return Math.min(Math.max(this.#settings.timeoutMs / 10, sweepMs.min), sweepMs.max);
  }

  #cancelWhere(matches: (request: Request) => boolean, codes: CancelCodes): void {
    for (let left = this.#waiting.length; left > 0; left--) {
      const request = this.#waiting.shift()!;
      if (matches(request)) this.#settle(request, this.#unsent(request.messages, sendError(codes.queued)));
      else this.#waiting.push(request);
    }
    for (const slot of this.#slots) {
      if (slot.task !== undefined && matches(slot.task)) {
        slot.cancel(sendError(slot.begun ? codes.begun : codes.connecting));
      }
    }
  }
}
