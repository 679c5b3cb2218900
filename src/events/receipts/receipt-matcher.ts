import type { Clock } from '../../lib/clock.ts';
import type { Database } from '../../store/database.ts';
import { forgetUnknownReceipts, matchReceipts, placesOfReceipts } from '../../store/events/match-receipts.ts';
import { partitionRange } from '../../store/partitions.ts';
import { type MatchResult, MatchTurn } from './match-turn.ts';
import { type MatchPlace, placesInTurn } from './places-in-turn.ts';

export interface ReceiptMatcherSettings {
  database: Database;
  clock: Clock;
  onCounted: (event: { result: MatchResult; count: number }) => void;
  /** Messages want the machine: receipts of a route that has many wait. Never, without it. */
  givesWay?: () => boolean;
  /** How long a receipt waits for a message that it names by the provider's id; 1 h. */
  waitMs?: number;
}

/** The answer may be recorded late, by a database that was away; what comes later than that comes no more. */
const waitDefaultMs = 3_600_000;

/** Of one transaction. A row has up to 1,000 receipts, and few where each came by itself. */
const rowsMax = 500;
const receiptsMax = 8_000;
/** Routes on shards that a look sees: with so many, the others are seen when these are done. */
const placesMax = 10_000;
/** Turns of a route that has many, while messages want the machine, are followed by so many rests as long as themselves: a tenth of the time is left to them. */
const rests = 9;
/** Others' receipts that come meanwhile are not seen before the rests are over. */
const restMsMax = 100;
/** Receipts that have waited so long give way no more. */
const patienceMs = 30_000;
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

  /** Matches all that is due, unless it is aborted. May run in several processes at once. */
  async runOnce(signal?: AbortSignal): Promise<void> {
    const { database, clock } = this.#settings;
    while (await this.#takeTurn(signal)) signal?.throwIfAborted();
    if (clock.monotonicMs() - this.#forgotMs < forgetEveryMs) return;
    this.#forgotMs = clock.monotonicMs();
    await forgetUnknownReceipts(database, unknownKept);
  }

  /** All routes that have few, and the one place that waits longest of those that have many; false when nothing is left, or others are at the rest. */
  async #takeTurn(signal: AbortSignal | undefined): Promise<boolean> {
    const { database, clock } = this.#settings;
    const beganAtMs = clock.monotonicMs();
    const { few, many } = placesInTurn(await placesOfReceipts(database, placesMax));
    let taken = 0;
    for (const place of few) taken += await this.#match(place);
    for (const place of many) {
      const rows = await this.#match(place);
      if (rows === 0) continue;
      taken += rows;
      if (place.waitedMs < patienceMs) await this.#giveWay(clock.monotonicMs() - beganAtMs, signal);
      break;
    }
    return taken > 0;
  }

  async #giveWay(tookMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock, givesWay } = this.#settings;
    for (let rest = 0; rest < rests && givesWay?.(); rest++) {
      await clock.sleep(Math.min(tookMs, restMsMax), signal);
    }
  }

  async #match({ shard, routeIds }: MatchPlace): Promise<number> {
    const { database, onCounted } = this.#settings;
    const fromMs = await this.#firstDayMs();
    const { clock, waitMs = waitDefaultMs } = this.#settings;
    let turn: MatchTurn | undefined;
    const taken = await matchReceipts(database, {
      ...{ shard, routeIds, rowsMax, receiptsMax },
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
