import type { Answer } from '../../connectors/connector.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import { type EndpointMessage, FailingEndpoints } from './failing-endpoints.ts';

/** Endpoints that are held at once; beyond, the one that was held first is forgotten, and asks again by its next answer. */
const heldMax = 10_000;

/**
 * Endpoints that have asked to be left alone for a time, or that fail, on a route whose messages each name their own. It holds the
 * messages of an account to its endpoint, and nobody else's: not those to other endpoints of its host, nor other accounts' to the same.
 */
export class EndpointHolds {
  readonly #addressOf: (accountId: number, to: string) => string;
  readonly #askedUntilMs = new Map<string, number>();
  readonly #failing = new FailingEndpoints();
  #lastAskedUntilMs = Number.NEGATIVE_INFINITY;

  /** `addressOf`: the URL that is meant by what a message is for. */
  constructor(addressOf: (accountId: number, to: string) => string) {
    this.#addressOf = addressOf;
  }

  /** An endpoint has answered, or has not. Connectors bound what it may ask for. */
  note(message: EndpointMessage, { to, answer }: { to: string; answer: Answer }, nowMs: number): void {
    if (answer.kind === 'sent' && this.#failing.remembersNone) return;
    const key = this.#keyOf(message.work, to);
    this.#failing.note(key, { message, answer }, nowMs);
    if (answer.kind === 'retry' && answer.retryAfterMs !== undefined)
      this.#noteAsked(key, nowMs + answer.retryAfterMs);
  }

  /** Until when the message may not leave; undefined for a message that may. */
  holdOf(work: ChunkWork, offset: number, nowMs: number): { untilMs: number } | undefined {
    if (this.#isEmpty(nowMs)) return undefined;
    const to = recipientAt(work, offset);
    const untilMs = to === undefined ? undefined : this.admit({ work, offset }, to, nowMs);
    return untilMs === undefined ? undefined : { untilMs };
  }

  /** Lets a message leave that goes to `to`, or says until when it may not. */
  admit(message: EndpointMessage, to: string, nowMs: number): number | undefined {
    if (this.#isEmpty(nowMs)) return undefined;
    const key = this.#keyOf(message.work, to);
    const askedUntilMs = this.#askedUntilMs.get(key) ?? nowMs;
    // A probe is let out once: not while the endpoint would refuse it.
    return askedUntilMs > nowMs ? askedUntilMs : this.#failing.admit(key, message, nowMs);
  }

  /** Each message asks: clearing a map that is empty took a microsecond, a tenth of signing. */
  #isEmpty(nowMs: number): boolean {
    if (this.#askedUntilMs.size > 0 && nowMs >= this.#lastAskedUntilMs) this.#askedUntilMs.clear();
    return this.#askedUntilMs.size === 0 && this.#failing.isEmpty;
  }

  #noteAsked(key: string, atMs: number): void {
    const untilMs = Math.max(atMs, this.#askedUntilMs.get(key) ?? 0);
    this.#askedUntilMs.delete(key);
    if (this.#askedUntilMs.size >= heldMax)
      this.#askedUntilMs.delete(this.#askedUntilMs.keys().next().value!);
    this.#askedUntilMs.set(key, untilMs);
    this.#lastAskedUntilMs = Math.max(this.#lastAskedUntilMs, untilMs);
  }

  #keyOf(work: ChunkWork, to: string): string {
    const { accountId } = work.chunk.lane.key;
    return `${accountId} ${this.#addressOf(accountId, to)}`;
  }
}

/** What cannot be read is dealt with where it is handled. */
function recipientAt(work: ChunkWork, offset: number): string | undefined {
  try {
    return work.fieldsAt(offset).to;
  } catch {
    return undefined;
  }
}
