import { performance } from 'node:perf_hooks';
import { seededRandom } from './seeded-random.ts';
import type { SinkOptions } from './sink-options.ts';

/** What was told later of the messages that were taken. */
export interface ReceiptBooks {
  /** Receipts that were answered with a 2xx, those told again included. */
  told: number;
  delivered: number;
  failed: number;
  repeated: number;
  /** Posts that were not answered with a 2xx: they are made again. */
  refused: number;
  /** Receipts that wait for their time, or for an answer. */
  waiting: number;
  /** Beyond as many as are kept waiting: nothing is told of them. */
  dropped: number;
}

type Options = Pick<
  SinkOptions,
  | 'receiptsUrl'
  | 'receiptsDelayMs'
  | 'receiptsFailRate'
  | 'receiptsRepeatRate'
  | 'receiptsBatchMax'
  | 'receiptsBy'
  | 'seed'
>;

const postsMax = 4;
const waitingMax = 5_000_000;
/** Between a post that failed and the next try; a stopped server comes back, and knows nothing of what was refused. */
const againMs = 250;
const postTimeoutMs = 30_000;
/** How often it is looked at whose time has come. */
const tickMs = 20;

/** Tells Millrace what became of the messages that were taken, some time after, many in one request. */
export class Receipts {
  readonly #options: Options;
  #url: string;
  #random: () => number;
  #books = noBooks();
  /** What was taken together, in order of time; `at` is on the monotonic clock. */
  #due: { atMs: number; ids: string[] }[] = [];
  #posts = 0;
  #run = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #ending = new AbortController();

  constructor(options: Options) {
    this.#options = options;
    this.#url = options.receiptsUrl;
    this.#random = seededRandom(options.seed);
  }

  /** Where they are told from now on; nowhere for an empty text, and nothing is kept for it then. */
  tellAt(url: string): void {
    this.#url = url;
    this.#pump();
  }

  take(ids: readonly (string | undefined)[]): void {
    if (this.#url === '') return;
    const known = ids.filter((id) => id !== undefined);
    const room = Math.max(0, waitingMax - this.#books.waiting);
    this.#books.dropped += Math.max(0, known.length - room);
    if (known.length > room) known.length = room;
    if (known.length === 0) return;
    this.#books.waiting += known.length;
    this.#due.push({ atMs: performance.now() + this.#options.receiptsDelayMs, ids: known });
    this.#timer ??= setTimeout(() => this.#pump(), tickMs);
  }

  books(): ReceiptBooks {
    return { ...this.#books };
  }

  reset(): void {
    this.#run++;
    this.#random = seededRandom(this.#options.seed);
    this.#books = noBooks();
    this.#due = [];
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#due = [];
    this.#ending.abort();
  }

  #pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#ending.signal.aborted) return;
    while (this.#posts < postsMax) {
      const ids = this.#takeDue();
      if (ids.length === 0) break;
      void this.#post(ids);
    }
    if (this.#due.length > 0) this.#timer = setTimeout(() => this.#pump(), tickMs);
  }

  #takeDue(): string[] {
    const { receiptsBatchMax } = this.#options;
    const nowMs = performance.now();
    const ids: string[] = [];
    let entries = 0;
    for (const entry of this.#due) {
      if (entry.atMs > nowMs || ids.length === receiptsBatchMax) break;
      ids.push(...entry.ids.splice(0, receiptsBatchMax - ids.length));
      if (entry.ids.length === 0) entries++;
    }
    this.#due.splice(0, entries);
    return ids;
  }

  async #post(ids: readonly string[]): Promise<void> {
    const run = this.#run;
    const { receiptsFailRate, receiptsRepeatRate, receiptsBy } = this.#options;
    let failed = 0;
    const receipts = ids.map((id) => {
      const fails = this.#random() < receiptsFailRate;
      if (fails) failed++;
      // JSON leaves out what is undefined.
      const [key, providerRef] = receiptsBy === 'key' ? [id, undefined] : [undefined, `sink-${id}`];
      return fails
        ? { id: key, providerRef, status: 'failed', error: simulatedFailure }
        : { id: key, providerRef, status: 'delivered' };
    });
    const repeated = receipts.filter(() => receiptsRepeatRate > 0 && this.#random() < receiptsRepeatRate);
    const body = JSON.stringify({ receipts: [...receipts, ...repeated] });
    this.#posts++;
    while (!(await this.#isTaken(body))) {
      if (run !== this.#run || this.#ending.signal.aborted) break;
      this.#books.refused++;
      await new Promise((resolve) => setTimeout(resolve, againMs).unref());
    }
    this.#posts--;
    if (run === this.#run) {
      this.#books.told += receipts.length + repeated.length;
      this.#books.repeated += repeated.length;
      this.#books.failed += failed;
      this.#books.delivered += receipts.length - failed;
      this.#books.waiting -= receipts.length;
    }
    this.#pump();
  }

  async #isTaken(body: string): Promise<boolean> {
    try {
      const signal = AbortSignal.any([this.#ending.signal, AbortSignal.timeout(postTimeoutMs)]);
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(this.#url, { method: 'POST', headers, body, signal });
      await answer.arrayBuffer();
      return answer.ok;
    } catch {
      return false;
    }
  }
}

function noBooks(): ReceiptBooks {
  return { told: 0, delivered: 0, failed: 0, repeated: 0, refused: 0, waiting: 0, dropped: 0 };
}

const simulatedFailure = { code: 'simulated_failure', detail: 'The simulated provider could not deliver it' };
