import type { ReceiptNews } from '../connectors/connector.ts';
import type { Clock } from '../lib/clock.ts';
import { uuidV7 } from '../lib/uuid-v7.ts';
import { parseProviderKey } from '../message/fold-outcomes.ts';
import { chunkIdOf, parseId, unixMsOf } from '../message/id.ts';
import type { Database, Queryable } from '../store/database.ts';
import {
  type DueReceipts,
  findReceiptChunks,
  forgetUnknownReceipts,
  type Matching,
  matchReceipts,
  shardsWithReceipts,
} from '../store/events/match-receipts.ts';
import { partitionRange } from '../store/partitions.ts';
import { MatchedGroups, type MessagePlace } from './matched-groups.ts';
import { decodeReceipts, forgetful } from './receipt-codec.ts';
import { receiptRows } from './receipt-intake.ts';

/** What was found out about receipts; how those end that are handed to the owners, they count. */
export type MatchResult = 'repeated' | 'early' | 'late' | 'unknown';

export interface ReceiptMatcherSettings {
  database: Database;
  clock: Clock;
  onCounted: (event: { result: MatchResult; count: number }) => void;
}

/** Rows of one transaction, of up to 1,000 receipts each, and the shards that a turn looks at. */
const rowsMax = 8;
const shardsMax = 64;
/** Unknown ones are kept for a week, and no more rows than that, so that nobody fills the database with them. */
const unknownKept = { keptMs: 7 * 86_400_000, rowsMax: 10_000 };
const forgetEveryMs = 600_000;
/** How old the knowledge may be of which days there are still. */
const rangeKnownMs = 60_000;

/**
 * Finds the messages of stored receipts and hands them to the owners of their shards. By the key that Millrace sent
 * along it is arithmetic, but for a look whether the message was sent by the route that the receipt came in by: who knows
 * the address of one route can say nothing of the messages of another.
 */
export class ReceiptMatcher {
  readonly #settings: ReceiptMatcherSettings;
  #range: { fromMs: number; knownMs: number } | undefined;
  #forgotMs = Number.NEGATIVE_INFINITY;

  constructor(settings: ReceiptMatcherSettings) {
    this.#settings = settings;
  }

  /** Matches all that is due. May run in several processes at once. */
  async runOnce(): Promise<void> {
    const { database, clock } = this.#settings;
    for (let shards = await this.#dueShards(); shards.length > 0; shards = await this.#dueShards()) {
      let taken = 0;
      for (const shard of shards) taken += await this.#matchShard(shard);
      // Others are at the rest.
      if (taken === 0) break;
    }
    if (clock.monotonicMs() - this.#forgotMs < forgetEveryMs) return;
    this.#forgotMs = clock.monotonicMs();
    await forgetUnknownReceipts(database, unknownKept);
  }

  #dueShards(): Promise<number[]> {
    return shardsWithReceipts(this.#settings.database, shardsMax);
  }

  async #matchShard(shard: number): Promise<number> {
    const { database, onCounted } = this.#settings;
    const fromMs = await this.#firstDayMs();
    let turn: MatchTurn | undefined;
    const taken = await matchReceipts(database, {
      ...{ shard, limit: rowsMax },
      match: async (transaction, rows) => {
        turn = new MatchTurn(this.#settings, fromMs);
        return await turn.match(transaction, rows);
      },
    });
    for (const [result, count] of turn?.counts ?? []) onCounted({ result, count });
    return taken;
  }

  /** The beginning of the oldest day that messages are kept of. */
  async #firstDayMs(): Promise<number> {
    const { database, clock } = this.#settings;
    const nowMs = clock.monotonicMs();
    if (this.#range === undefined || nowMs - this.#range.knownMs > rangeKnownMs) {
      this.#range = { fromMs: (await partitionRange(database)).fromMs, knownMs: nowMs };
    }
    return this.#range.fromMs;
  }
}

/** The rows of one transaction. */
class MatchTurn {
  /** Told only when the transaction has been committed. */
  readonly counts = new Map<MatchResult, number>();
  readonly #settings: ReceiptMatcherSettings;
  readonly #firstDayMs: number;
  readonly #groups = new MatchedGroups();
  readonly #unknown = new Map<number, ReceiptNews[]>();

  constructor(settings: ReceiptMatcherSettings, firstDayMs: number) {
    this.#settings = settings;
    this.#firstDayMs = firstDayMs;
  }

  async match(transaction: Queryable, rows: readonly DueReceipts[]): Promise<Matching> {
    const named = rows.map((row) => {
      const receipts = decodeReceipts(row).map((news) => ({ news, key: parseProviderKey(news.key ?? '') }));
      return { row, receipts };
    });
    const ids = named.flatMap(({ receipts }) =>
      receipts.flatMap(({ key }) => (key ? chunkIdOf(key.id) : [])),
    );
    const chunks = await findReceiptChunks(transaction, [...new Set(ids)]);
    for (const { row, receipts } of named) {
      for (const { news, key } of receipts) {
        if (key === undefined) this.#keepUnknown(row, news);
        else this.#place(row, news, { key, chunk: chunks.get(chunkIdOf(key.id)) });
      }
    }
    const nowMs = this.#settings.clock.nowMs();
    const unknown = [...this.#unknown].flatMap(([routeId, news]) => receiptRows(routeId, news, nowMs));
    return { matched: this.#groups.take(() => uuidV7(nowMs)), waiting: [], unknown };
  }

  #place(
    row: DueReceipts,
    news: ReceiptNews,
    named: {
      key: { id: string; renewals: number };
      chunk: { routeId: number; count: number } | undefined;
    },
  ): void {
    const { key, chunk } = named;
    const { offset } = parseId(key.id);
    if (chunk === undefined && unixMsOf(key.id) < this.#firstDayMs) this.#count('late');
    else if (chunk === undefined || chunk.routeId !== row.routeId || offset >= chunk.count) {
      this.#keepUnknown(row, news);
    } else this.#add(row, news, { chunkId: chunkIdOf(key.id), offset, renewal: key.renewals });
  }

  #add(row: DueReceipts, news: ReceiptNews, place: MessagePlace): void {
    if (!this.#groups.add(news, place, row.receivedAt)) this.#count('repeated');
  }

  #keepUnknown({ routeId }: DueReceipts, news: ReceiptNews): void {
    this.#count('unknown');
    const kept = this.#unknown.get(routeId);
    if (kept) kept.push(forgetful(news));
    else this.#unknown.set(routeId, [forgetful(news)]);
  }

  #count(result: MatchResult, count = 1): void {
    this.counts.set(result, (this.counts.get(result) ?? 0) + count);
  }
}
