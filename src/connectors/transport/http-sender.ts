import { performance } from 'node:perf_hooks';
import type { Answer, OutgoingMessage, SendError, Sender, SendTerms } from '../connector.ts';
import type { SendErrorCode } from '../send-errors.ts';
import { sendError, unsendable } from '../send-errors.ts';
import { connectProvider } from './connect-provider.ts';
import { Connections } from './connections.ts';
import type { PostedRequest, Reply, RequestSlot } from './request-slot.ts';
import { SignalWatch } from './signal-watch.ts';

/** How messages become a request and its reply their answers: singly or as a batch. */
export interface Exchange {
  readonly batchMax: number;
  readonly responseBytesMax: number;
  /** Throws, for its reason to be read by users, where messages cannot be posted. */
  request(messages: readonly OutgoingMessage[]): PostedRequest;
  answers(messages: readonly OutgoingMessage[], reply: Reply): Answer[];
}

/** Where a request goes. */
export interface Target {
  /** Scheme, host and port. */
  origin: string;
  /** With the query. */
  path: string;
}

export interface HttpSenderSettings {
  /** Throws, for its reason to be read by users, for messages that go nowhere. */
  target: (messages: readonly OutgoingMessage[]) => Target;
  /** All messages have one target. */
  oneOrigin?: boolean;
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
  readonly path: string;
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
  readonly #connections: Connections<Request>;
  #runningCount = 0;
  readonly #signals = new SignalWatch(() => this.#cancelAborted());
  #sweeper: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;
  #drained: (() => void) | undefined;

  constructor(settings: HttpSenderSettings) {
    const { oneOrigin = false, exchange, concurrency, timeoutMs, allowPrivate } = settings;
    this.#settings = settings;
    this.batchMax = exchange.batchMax;
    const connectTimeoutMs = Math.min(timeoutMs, connectTimeoutMsMax);
    this.#connections = new Connections({
      connectionsMax: concurrency,
      oneOrigin,
      connect: connectProvider({ allowPrivate, connectTimeoutMs }),
      responseBytesMax: exchange.responseBytesMax,
      onReply: (request, reply) => this.#onReply(request, reply),
      isWanted: (request) => this.#isWanted(request),
      start: (slot, request) => this.#start(slot, request),
    });
  }

  send(messages: readonly OutgoingMessage[], terms: SendTerms): Promise<Answer[]> {
    const refusal = this.#refusal(terms.signal);
    if (refusal !== undefined) return Promise.resolve(this.#unsent(messages, refusal));
    let target: Target;
    try {
      target = this.#settings.target(messages);
    } catch (fault) {
      return Promise.resolve(this.#unsent(messages, unsendable(fault)));
    }
    return new Promise((resolve) => {
      const request = { messages, terms, resolve, path: target.path, sinceMs: performance.now() };
      this.#signals.add(terms.signal);
      this.#sweeper ??= setTimeout(() => this.#sweep(), this.#sweepEveryMs());
      this.#connections.offer(target.origin, request);
    });
  }

  rehearse(message: OutgoingMessage): Answer {
    try {
      this.#settings.target([message]);
    } catch (fault) {
      return this.#unsent([message], unsendable(fault))[0]!;
    }
    return this.#unsentAlone(message) ?? { kind: 'sent' };
  }

  close(): Promise<void> {
    this.#closed ??= this.#drain().then(async () => {
      clearTimeout(this.#sweeper);
      this.#signals.close();
      await this.#connections.close();
    });
    return this.#closed;
  }

  get #busy(): boolean {
    return this.#runningCount > 0 || this.#connections.waitingCount > 0;
  }

  #refusal(signal: AbortSignal): SendError | undefined {
    if (this.#closed !== undefined) return sendError('sender_closed');
    if (signal.aborted) return sendError('aborted');
    const waitingMax = this.#settings.concurrency * waitingPerConnectionMax;
    return this.#connections.waitingCount >= waitingMax ? sendError('sender_busy') : undefined;
  }

  #unsent(messages: readonly OutgoingMessage[], error: SendError): Answer[] {
    return this.#settings.exchange.answers(messages, { kind: 'unsent', error });
  }

  /** One that may not begin any more is told so. */
  #isWanted(request: Request): boolean {
    if (request.terms.mayBegin()) return true;
    this.#settle(request, this.#unsent(request.messages, sendError('not_begun')));
    return false;
  }

  /** True when the slot works for the request now; one that cannot be formed is told so. */
  #start(slot: RequestSlot<Request>, request: Request): boolean {
    const formed = this.#form(request);
    if (formed === undefined) return false;
    const { path, terms } = request;
    this.#runningCount += 1;
    formed.request.sinceMs = performance.now();
    slot.start(formed.request, { path, posted: formed.posted, mayBegin: terms.mayBegin });
    return true;
  }

  /** Of several messages those that cannot be formed are left out, and told so when the others are answered; undefined where none is left. */
  #form(request: Request): { request: Request; posted: PostedRequest } | undefined {
    const { messages } = request;
    try {
      return { request, posted: this.#settings.exchange.request(messages) };
    } catch (fault) {
      const unsent = messages.map((message) => this.#unsentAlone(message));
      const others = messages.filter((_, n) => unsent[n] === undefined);
      if (others.length > 0 && others.length < messages.length) {
        const resolve = (answers: Answer[]) => {
          const left = answers[Symbol.iterator]();
          request.resolve(unsent.map((own) => own ?? (left.next().value as Answer)));
        };
        return this.#form({ ...request, messages: others, resolve });
      }
      const [forAll] = this.#unsent(messages, unsendable(fault));
      this.#settle(
        request,
        unsent.map((own) => own ?? forAll!),
      );
      return undefined;
    }
  }

  /** Why a message cannot be posted even by itself. */
  #unsentAlone(message: OutgoingMessage): Answer | undefined {
    try {
      this.#settings.exchange.request([message]);
      return undefined;
    } catch (fault) {
      return this.#unsent([message], unsendable(fault))[0];
    }
  }

  #onReply(request: Request, reply: Reply): void {
    this.#runningCount -= 1;
    this.#settle(request, this.#settings.exchange.answers(request.messages, reply));
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
    for (const request of this.#connections.takeWaiting(matches)) {
      this.#settle(request, this.#unsent(request.messages, sendError(codes.queued)));
    }
    for (const slot of this.#connections.all()) {
      if (slot.task !== undefined && matches(slot.task)) {
        slot.cancel(sendError(slot.begun ? codes.begun : codes.connecting));
      }
    }
  }
}
