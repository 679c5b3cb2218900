import type { Answer } from '../../connectors/connector.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import { requestResult } from '../pace/request-result.ts';

/** Failures in a row, with no other answer between them, until an endpoint is left alone. */
const failuresMin = 10;
/** How long at first, and at most: doubled by each probe that fails. */
const waitMinMs = 5_000;
const waitMaxMs = 300_000;
/** A probe of which nothing was heard for so long never left, or went with its chunk: another one goes. */
const probeMs = 60_000;
/** What waits behind a probe asks again after this, and while it is out after ever longer. */
const askAgainMs = 1_000;
/** Endpoints that are remembered, of each kind; beyond, the one that came first is forgotten and counted anew. */
const rememberedMax = 10_000;

/** A message, as its chunk knows it. */
export interface EndpointMessage {
  work: ChunkWork;
  offset: number;
}

interface LeftAlone {
  waitMs: number;
  untilMs: number;
  /** The one message that was let out when the time was over. */
  probe?: EndpointMessage & { beganAtMs: number };
}

/**
 * A circuit breaker for each endpoint of a route whose messages name their own. One that hangs or cannot be reached would else
 * have all its messages tried, each holding a connection of its host for as long as a request may take, while its account's
 * messages to others pile up behind them. After some failures in a row it is left alone; then one message goes as a probe.
 *
 * The breaker of a route (`pace/breaker.ts`) counts a share of the requests of a moment: an endpoint may get one an hour.
 */
export class FailingEndpoints {
  readonly #failures = new Map<string, number>();
  readonly #leftAlone = new Map<string, LeftAlone>();

  /** What an endpoint made of a message. */
  note(key: string, { message, answer }: { message: EndpointMessage; answer: Answer }, nowMs: number): void {
    const { kind } = requestResult([answer]);
    if (kind === 'failed') this.#noteFailure(key, message, nowMs);
    // Any answer shows that it is there.
    else if (kind !== 'unsent') this.#forget(key);
  }

  /** All work: an answer that says so again is no news. */
  get remembersNone(): boolean {
    return this.#failures.size === 0 && this.#leftAlone.size === 0;
  }

  /** None is left alone: nobody needs to ask. */
  get isEmpty(): boolean {
    return this.#leftAlone.size === 0;
  }

  /** Lets the message leave, or says until when it may not. The first that asks when that is over goes as the probe. */
  admit(key: string, message: EndpointMessage, nowMs: number): number | undefined {
    const alone = this.#leftAlone.get(key);
    if (alone === undefined || isProbe(alone, message)) return undefined;
    if (nowMs < alone.untilMs) return alone.untilMs;
    const probedForMs = alone.probe ? nowMs - alone.probe.beganAtMs : Number.POSITIVE_INFINITY;
    if (probedForMs < probeMs) {
      alone.untilMs = nowMs + Math.max(askAgainMs, probedForMs);
      return alone.untilMs;
    }
    alone.probe = { ...message, beganAtMs: nowMs };
    alone.untilMs = nowMs + askAgainMs;
    return undefined;
  }

  #noteFailure(key: string, message: EndpointMessage, nowMs: number): void {
    const alone = this.#leftAlone.get(key);
    if (alone !== undefined) {
      // Others were on their way before it was left alone: they are no news.
      if (!isProbe(alone, message)) return;
      const waitMs = Math.min(waitMaxMs, alone.waitMs * 2);
      this.#leftAlone.set(key, { waitMs, untilMs: nowMs + waitMs });
      return;
    }
    const failures = (this.#failures.get(key) ?? 0) + 1;
    if (failures < failuresMin) {
      remember(this.#failures, key, failures);
      return;
    }
    this.#failures.delete(key);
    remember(this.#leftAlone, key, { waitMs: waitMinMs, untilMs: nowMs + waitMinMs });
  }

  #forget(key: string): void {
    if (this.#failures.size > 0) this.#failures.delete(key);
    if (this.#leftAlone.size > 0) this.#leftAlone.delete(key);
  }
}

function isProbe({ probe }: LeftAlone, { work, offset }: EndpointMessage): boolean {
  return probe !== undefined && probe.work === work && probe.offset === offset;
}

function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  if (!map.has(key) && map.size >= rememberedMax) map.delete(map.keys().next().value!);
  map.set(key, value);
}
