import type { ReceiptNews } from '../../connectors/connector.ts';
import type { Clock } from '../../lib/clock.ts';
import { createSemaphore } from '../../lib/semaphore.ts';
import { uuidV7 } from '../../lib/uuid-v7.ts';
import { ProblemError } from '../../message/error-codes.ts';
import { limits } from '../../message/limits.ts';
import type { Database } from '../../store/database.ts';
import { type ReceiptRow, storeReceipts } from '../../store/events/store-receipts.ts';
import { encodeReceipts } from './receipt-codec.ts';

export interface ReceiptIntakeSettings {
  database: Database;
  clock: Clock;
  random?: () => number;
  /** Receipts are on disk, for whoever matches them. */
  onStored?: () => void;
}

/** How long receipts wait for others to share their commit; a commit of the disk takes about as long. */
const gatherMs = 2;
/** They stay on one shard this long, so that who matches them finds many together. */
const shardStayMs = 1_000;
const commitsMax = 2;
/** Receipts of one row: about 64 kB of text, so that a row is decoded in a moment. */
const rowReceiptsMax = 1_000;
/** Receipts that wait for a commit: beyond them is refused, because the database is behind. */
const waitingMax = 100_000;

/** What shares the next commit. */
interface Gathered {
  byRoute: Map<number, ReceiptNews[]>;
  committed: Promise<void>;
}

/** Stores receipts, those of concurrent callbacks in one transaction. They are durable when the promise resolves. */
export class ReceiptIntake {
  readonly #settings: ReceiptIntakeSettings;
  readonly #commits = createSemaphore(commitsMax);
  readonly #running = new Set<Promise<void>>();
  #gathering: Gathered | undefined;
  #waiting = 0;
  #shard = 0;
  #shardSinceMs = Number.NEGATIVE_INFINITY;

  constructor(settings: ReceiptIntakeSettings) {
    this.#settings = settings;
  }

  /** @throws ProblemError `unavailable` when too many wait; DatabaseError when they may not be on disk */
  async store(routeId: number, news: readonly ReceiptNews[]): Promise<void> {
    if (news.length === 0) return;
    if (this.#waiting > 0 && this.#waiting + news.length > waitingMax) {
      throw new ProblemError('unavailable', 'Too many receipts wait for the database.', {
        retryAfterSeconds: 1,
      });
    }
    const gathered = this.#gathering ?? this.#open();
    const others = gathered.byRoute.get(routeId);
    if (others) others.push(...news);
    else gathered.byRoute.set(routeId, [...news]);
    this.#waiting += news.length;
    try {
      await gathered.committed;
    } finally {
      this.#waiting -= news.length;
    }
  }

  /** Resolves when every commit under way has ended. */
  async settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  #open(): Gathered {
    const gathered: Gathered = { byRoute: new Map(), committed: Promise.resolve() };
    this.#gathering = gathered;
    gathered.committed = this.#commit(gathered);
    // Those whose receipts are in it hear how it ended.
    const tracked = gathered.committed
      .catch(() => {})
      .finally(() => {
        this.#running.delete(tracked);
      });
    this.#running.add(tracked);
    return gathered;
  }

  async #commit(gathered: Gathered): Promise<void> {
    const { database, clock, onStored } = this.#settings;
    await clock.sleep(gatherMs);
    const release = await this.#commits.acquire();
    try {
      if (this.#gathering === gathered) this.#gathering = undefined;
      const rows: ReceiptRow[] = [];
      for (const [routeId, news] of gathered.byRoute) rows.push(...receiptRows(routeId, news, clock.nowMs()));
      await storeReceipts(database, { shard: this.#currentShard(), rows });
    } finally {
      release();
    }
    onStored?.();
  }

  #currentShard(): number {
    const { clock, random = Math.random } = this.#settings;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#shardSinceMs >= shardStayMs) {
      this.#shard = Math.floor(random() * limits.shards);
      this.#shardSinceMs = nowMs;
    }
    return this.#shard;
  }
}

/** Rows of a bounded number of receipts each, of one route. */
export function receiptRows(routeId: number, news: readonly ReceiptNews[], nowMs: number): ReceiptRow[] {
  const rows: ReceiptRow[] = [];
  for (let start = 0; start < news.length; start += rowReceiptsMax) {
    const some = news.slice(start, start + rowReceiptsMax);
    rows.push({ id: uuidV7(nowMs), routeId, count: some.length, ...encodeReceipts(some) });
  }
  return rows;
}
