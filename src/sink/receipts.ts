import { performance } from 'node:perf_hooks';
import { ReceiptPoster } from './receipt-poster.ts';
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
/**
 * What is due waits for the next tick, so that many share a post; as soon as one is answered the next follows, if it is
 * full. Providers that tell of many together wait for seconds.
 */
const tickMs = 100;

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
  readonly #poster = new ReceiptPoster(postsMax);
  #isEnding = false;

  constructor(options: Options) {
    this.#options = options;
    this.#url = options.receiptsUrl;
    this.#random = seededRandom(options.seed);
  }

  /** Where they are told from now on; nowhere for an empty text, and nothing is kept for it then. */
  tellAt(url: string): void {
    this.#url = url;
    if (url === '') this.#forget();
    else this.#pump();
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
    this.#awaitTick();
  }

  books(): ReceiptBooks {
    return { ...this.#books };
  }

  reset(): void {
    this.#random = seededRandom(this.#options.seed);
    this.#books = noBooks();
    this.#forget();
  }

  /** What waits is not told, and what is under way is not told again. */
  #forget(): void {
    this.#run++;
    this.#due = [];
    this.#books.waiting = 0;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#due = [];
    this.#isEnding = true;
    this.#poster.stop();
  }

  #awaitTick(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#pump();
    }, tickMs);
  }

  #pump({ onlyFull = false } = {}): void {
    if (this.#isEnding) return;
    const dueMin = onlyFull ? this.#options.receiptsBatchMax : 1;
    while (this.#posts < postsMax) {
      const ids = this.#takeDue(dueMin);
      if (ids.length === 0) break;
      void this.#post(ids);
    }
    if (this.#due.length > 0) this.#awaitTick();
  }

  #takeDue(dueMin: number): string[] {
    const { receiptsBatchMax } = this.#options;
    if (this.#countDue(dueMin) < dueMin) return [];
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

  /** How many are due; counted no further than to `enough`. */
  #countDue(enough: number): number {
    const nowMs = performance.now();
    let count = 0;
    for (const { atMs, ids } of this.#due) {
      if (atMs > nowMs || count >= enough) break;
      count += ids.length;
    }
    return count;
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
    const isForgotten = () => run !== this.#run || this.#isEnding;
    let isTold = false;
    while (!isTold && !isForgotten()) {
      isTold = await this.#poster.post(this.#url, body);
      if (isTold || isForgotten()) break;
      this.#books.refused++;
      await new Promise((resolve) => setTimeout(resolve, againMs).unref());
    }
    this.#posts--;
    if (isTold && run === this.#run) {
      this.#books.told += receipts.length + repeated.length;
      this.#books.repeated += repeated.length;
      this.#books.failed += failed;
      this.#books.delivered += receipts.length - failed;
      this.#books.waiting -= receipts.length;
    }
    this.#pump({ onlyFull: true });
  }
}

function noBooks(): ReceiptBooks {
  return { told: 0, delivered: 0, failed: 0, repeated: 0, refused: 0, waiting: 0, dropped: 0 };
}

const simulatedFailure = { code: 'simulated_failure', detail: 'The simulated provider could not deliver it' };
