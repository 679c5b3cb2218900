import { setTimeout as sleep } from 'node:timers/promises';
import { brokenBy, type Refusal } from './broken-by.ts';
import { adminKey, routeName } from './millrace.ts';
import { Tally } from './tally.ts';

/** What became of the steady writer's messages. */
export interface WriterBooks {
  /** The id that a 202 gave for each reference. */
  accepted: Map<string, string>;
  /** References whose request ended without a word on whether it was stored. */
  uncertain: Set<string>;
  /** Answers that break a promise: a 503 without Retry-After, a status that nobody expects. */
  wrong: string[];
  /** References that were never accepted, although they were asked for to the end. */
  unanswered: Set<string>;
}

const everyMs = 50;
/** Requests at once: beyond, none is begun until one ends. */
const openMax = 200;
const requestMs = 40_000;
/** Customers that ask again sooner than Retry-After says, so that a scenario shows when it works again. */
const retryMs = 500;
/** After the end, for what was begun. */
const lateDefaultMs = 60_000;

/** Single messages at a steady pace, each with a key of its own, each asked for again until it is accepted. */
export class SteadyWriter {
  readonly tally = new Tally();
  readonly books: WriterBooks = {
    accepted: new Map(),
    uncertain: new Set(),
    wrong: [],
    unanswered: new Set(),
  };
  readonly #url: string;
  readonly #prefix: string;
  readonly #lateMs: number;
  readonly #ending = new AbortController();
  readonly #pace: Promise<void>;
  readonly #open = new Set<Promise<void>>();
  #deadline = Number.POSITIVE_INFINITY;

  constructor({ url, prefix, lateMs = lateDefaultMs }: { url: string; prefix: string; lateMs?: number }) {
    this.#url = url;
    this.#prefix = prefix;
    this.#lateMs = lateMs;
    this.#pace = this.#begin();
  }

  /** Resolves when each message that was begun is accepted, or given up. */
  async end(): Promise<void> {
    this.#deadline = performance.now() + this.#lateMs;
    this.#ending.abort();
    await this.#pace;
    await Promise.all(this.#open);
  }

  async #begin(): Promise<void> {
    for (let n = 0; !this.#ending.signal.aborted; n++) {
      if (this.#open.size < openMax) {
        const ref = `${this.#prefix}-single-${n}`;
        const sending = this.#send(ref, n);
        this.#open.add(sending);
        void sending.then(() => this.#open.delete(sending));
      }
      await sleep(everyMs, undefined, { signal: this.#ending.signal }).catch(() => {});
    }
  }

  async #send(ref: string, n: number): Promise<void> {
    const body = JSON.stringify({ to: toOf(n), route: routeName, body: `Laboratory ${n}`, ref });
    while (performance.now() < this.#deadline) {
      if (await this.#ask(ref, body)) return;
      await sleep(retryMs);
    }
    this.books.unanswered.add(ref);
  }

  /** Whether the message is accepted now. */
  async #ask(ref: string, body: string): Promise<boolean> {
    let response: Response;
    let answer: Answer;
    try {
      response = await fetch(`${this.#url}/v1/messages`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${adminKey}`,
          'content-type': 'application/json',
          'idempotency-key': ref,
        },
        body,
        signal: AbortSignal.timeout(requestMs),
      });
      answer = (await response.json()) as Answer;
    } catch (error) {
      this.books.uncertain.add(ref);
      this.tally.fail((error as Error).name);
      return false;
    }
    const id = answer.messages?.[0]?.id;
    if (response.status === 202 && id !== undefined) {
      this.tally.succeed();
      this.books.accepted.set(ref, id);
      return true;
    }
    this.#refused(ref, response, answer);
    return false;
  }

  #refused(ref: string, response: Response, refusal: Refusal): void {
    const { code, detail } = refusal;
    this.tally.fail(`${response.status} ${code}: ${detail}`);
    if (detail?.includes('while it committed')) this.books.uncertain.add(ref);
    const broken = brokenBy(response, refusal);
    if (broken !== undefined) this.books.wrong.push(`${ref}: ${broken}`);
  }
}

interface Answer extends Refusal {
  messages?: { id: string }[];
}

export function toOf(n: number): string {
  return `+3161${String(n).padStart(7, '0')}`;
}
