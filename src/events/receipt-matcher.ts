import type { Clock } from '../lib/clock.ts';
import type { Database } from '../store/database.ts';
import { forgetUnknownReceipts, matchReceipts, shardsWithReceipts } from '../store/events/match-receipts.ts';
import { partitionRange } from '../store/partitions.ts';
import { type MatchResult, MatchTurn } from './match-turn.ts';

export interface ReceiptMatcherSettings {
  database: Database;
  clock: Clock;
  onCounted: (event: { result: MatchResult; count: number }) => void;
  /** How long a receipt waits for a message that it names by the provider's id; 1 h. */
  waitMs?: number;
}

/** The answer may be recorded late, by a database that was away; what comes later than that comes no more. */
const waitDefaultMs = 3_600_000;

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
    const { clock, waitMs = waitDefaultMs } = this.#settings;
    let turn: MatchTurn | undefined;
    const taken = await matchReceipts(database, {
      ...{ shard, limit: rowsMax },
      match: async (transaction, rows) => {
        turn = new MatchTurn({ nowMs: clock.nowMs(), firstDayMs: fromMs, waitMs });
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
