import type { Answer } from '../../connectors/connector.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';

/** Endpoints that are held at once; beyond, the one that was held first is forgotten, and asks again by its next answer. */
const heldMax = 10_000;

/**
 * Endpoints that have asked to be left alone for a time, on a route whose messages each name their own. What one asks for holds the
 * messages of its account to it, and nobody else's: not those to other endpoints of its host, nor other accounts' to the same.
 */
export class EndpointHolds {
  readonly #addressOf: (accountId: number, to: string) => string;
  readonly #untilMs = new Map<string, number>();
  #lastUntilMs = Number.NEGATIVE_INFINITY;

  /** `addressOf`: the URL that is meant by what a message is for. */
  constructor(addressOf: (accountId: number, to: string) => string) {
    this.#addressOf = addressOf;
  }

  /** An endpoint has answered. Connectors bound what it may ask for. */
  note(of: { accountId: number; to: string; answer: Answer | undefined }, nowMs: number): void {
    const { accountId, to, answer } = of;
    if (answer?.kind !== 'retry' || answer.retryAfterMs === undefined) return;
    const key = this.#keyOf(accountId, to);
    const untilMs = Math.max(nowMs + answer.retryAfterMs, this.#untilMs.get(key) ?? 0);
    this.#untilMs.delete(key);
    if (this.#untilMs.size >= heldMax) this.#untilMs.delete(this.#untilMs.keys().next().value!);
    this.#untilMs.set(key, untilMs);
    this.#lastUntilMs = Math.max(this.#lastUntilMs, untilMs);
  }

  /** Until when the message may not leave; undefined for a message that may. */
  holdOf(work: ChunkWork, offset: number, nowMs: number): { untilMs: number } | undefined {
    // Each message asks: clearing a map that is empty took a microsecond, a tenth of signing.
    if (this.#untilMs.size === 0) return undefined;
    if (nowMs >= this.#lastUntilMs) {
      this.#untilMs.clear();
      return undefined;
    }
    const to = recipientAt(work, offset);
    const untilMs = to === undefined ? undefined : this.untilMs(work.chunk.lane.key.accountId, to);
    return untilMs !== undefined && untilMs > nowMs ? { untilMs } : undefined;
  }

  /** Undefined for an endpoint that has asked for nothing; the moment may be over. */
  untilMs(accountId: number, to: string): number | undefined {
    return this.#untilMs.size === 0 ? undefined : this.#untilMs.get(this.#keyOf(accountId, to));
  }

  #keyOf(accountId: number, to: string): string {
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
