import { performance } from 'node:perf_hooks';
import { Arrivals } from './arrivals.ts';
import type { SinkLedger } from './ledger.ts';
import { Ledger } from './ledger.ts';
import { ProviderLimit } from './provider-limit.ts';
import { Receipts } from './receipts.ts';
import { seededRandom } from './seeded-random.ts';
import type { SinkOptions } from './sink-options.ts';

/** What a simulated provider does with one request. */
export type Verdict =
  | { kind: 'answer'; status: number; body: string; retryAfterSeconds?: number }
  | { kind: 'hang' }
  | { kind: 'reset' };

/** The simulated provider behind the sockets: takes posts, draws faults, keeps the books. */
export class Provider {
  readonly #options: SinkOptions;
  #random: () => number;
  #limit: ProviderLimit;
  #ledger = new Ledger();
  #arrivals: Arrivals;
  readonly receipts: Receipts;

  constructor(options: SinkOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#limit = new ProviderLimit(options.rateLimit);
    this.#arrivals = new Arrivals(options.arrivals);
    this.receipts = new Receipts(options);
  }

  post(text: string, idempotencyKey: string | undefined): Verdict {
    const nowMs = performance.now();
    const messages = readMessages(text);
    if (messages === undefined) return this.#refuse('invalid', { status: 400, code: 'invalid_json' });
    const { failRate, failStatus, hangRate, resetRate } = this.#options;
    const draw = failRate + hangRate + resetRate === 0 ? 1 : this.#random();
    if (draw < failRate) return this.#refuse('failed', { status: failStatus, code: 'simulated_failure' });
    const waitMs = this.#limit.take(messages.list.length, nowMs);
    if (waitMs > 0) {
      const refusal = this.#refuse('rateLimited', { status: 429, code: 'rate_limited' });
      return { ...refusal, retryAfterSeconds: Math.ceil(waitMs / 1_000) };
    }
    const ids = messages.list.map(idOf);
    const namesRefs = this.#options.receiptsBy === 'providerRef';
    if (!messages.batch) ids[0] ??= idempotencyKey;
    if (!messages.batch || ids.length <= this.#options.arrivalsBatchMax)
      this.#keepArrivals(messages.list, ids, nowMs);
    this.#ledger.takeRequest(ids);
    this.receipts.take(keysOf(messages, ids, idempotencyKey));
    if (draw < failRate + hangRate) {
      this.#ledger.unanswered.hung += 1;
      return { kind: 'hang' };
    }
    if (draw < failRate + hangRate + resetRate) {
      this.#ledger.unanswered.reset += 1;
      return { kind: 'reset' };
    }
    return {
      kind: 'answer',
      status: 200,
      body: messages.batch ? batchAnswer(ids, namesRefs) : singleAnswer(ids[0]),
    };
  }

  ledger(): SinkLedger {
    return { ...this.#ledger.read(), receipts: this.receipts.books() };
  }

  arrivals(after: number, limit: number): ReturnType<Arrivals['read']> {
    return this.#arrivals.read(after, limit);
  }

  /** As if just started, faults included. */
  reset(): void {
    this.#random = seededRandom(this.#options.seed);
    this.#limit = new ProviderLimit(this.#options.rateLimit);
    this.#ledger = new Ledger();
    this.#arrivals = new Arrivals(this.#options.arrivals);
    this.receipts.reset();
  }

  #keepArrivals(messages: readonly unknown[], ids: readonly (string | undefined)[], nowMs: number): void {
    const { arrivalsRefPrefix } = this.#options;
    for (const [index, id] of ids.entries()) {
      const isListed = arrivalsRefPrefix === '' || refOf(messages[index]).startsWith(arrivalsRefPrefix);
      if (id !== undefined && isListed) this.#arrivals.add(id, performance.timeOrigin + nowMs);
    }
  }

  #refuse(reason: 'failed' | 'rateLimited' | 'invalid', refusal: { status: number; code: string }) {
    this.#ledger.refused[reason] += 1;
    const body = JSON.stringify({ error: { code: refusal.code } });
    return { kind: 'answer', status: refusal.status, body } as const;
  }
}

/** A body with a list of `messages` is a batch, every other JSON value is one message. */
function readMessages(text: string): { batch: boolean; list: unknown[] } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const messages = (value as { messages?: unknown } | null)?.messages;
    return Array.isArray(messages) ? { batch: true, list: messages } : { batch: false, list: [value] };
  } catch {
    return undefined;
  }
}

function idOf(message: unknown): string | undefined {
  const id = (message as { id?: unknown } | null)?.id;
  if (typeof id === 'number') return String(id);
  return typeof id === 'string' && id !== '' ? id : undefined;
}

function refOf(message: unknown): string {
  const ref = (message as { ref?: unknown } | null)?.ref;
  return typeof ref === 'string' ? ref : '';
}

/** What Millrace knows the messages by: after a replay that is another key than the id. */
function keysOf(
  { batch, list }: { batch: boolean; list: unknown[] },
  ids: readonly (string | undefined)[],
  idempotencyKey: string | undefined,
): (string | undefined)[] {
  if (!batch) return [idempotencyKey ?? ids[0]];
  return list.map((message, n) => {
    const key = (message as { idempotencyKey?: unknown } | null)?.idempotencyKey;
    return typeof key === 'string' ? key : ids[n];
  });
}

function singleAnswer(id: string | undefined): string {
  return id === undefined ? '{}' : `{"id":${quoted(`sink-${id}`)}}`;
}

function batchAnswer(ids: readonly (string | undefined)[], namesRefs: boolean): string {
  let results = '';
  for (const id of ids) {
    if (id === undefined) continue;
    const ref = namesRefs ? `,"providerRef":${quoted(`sink-${id}`)}` : '';
    results += `${results === '' ? '' : ','}{"id":${quoted(id)},"status":"sent"${ref}}`;
  }
  return `{"results":[${results}]}`;
}

/** JSON text of a string; the ids of Millrace need no escape. */
function quoted(text: string): string {
  return /^[\w-]*$/.test(text) ? `"${text}"` : JSON.stringify(text);
}
