import type { Clock } from '../../lib/clock.ts';
import type { Database } from '../../store/database.ts';
import {
  forgetUnknownReceipts,
  matchReceipts,
  receiptsDueByRoute,
} from '../../store/events/match-receipts.ts';
import { partitionRange } from '../../store/partitions.ts';
import { type DueOnShard, partCrowded } from './crowded-routes.ts';
import { type MatchResult, MatchTurn } from './match-turn.ts';

export interface ReceiptMatcherSettings {
  database: Database;
  clock: Clock;
  onCounted: (event: { result: MatchResult; count: number }) => void;
  /** Messages want the machine, and receipts of crowded routes wait. */
  givesWay: () => boolean;
  /** How long a receipt waits for a message that it names by the provider's id; 1 h. */
  waitMs?: number;
}

interface Run {
  signal: AbortSignal | undefined;
  errors: unknown[];
}

/** The answer may be recorded late, by a database that was away; what comes later than that comes no more. */
const waitDefaultMs = 3_600_000;

/** Of one transaction, which takes 15 to 80 ms with so many receipts. A row has up to 1,000, and few where they come one by one. */
const receiptsMax = 8_000;
const rowsMax = 64;
/** How long it goes by what was seen of all that is due: a look at 300,000 rows takes 0.15 s. */
const lookMs = 250;
/** After receipts of crowded routes so many times as long belongs to messages: a tenth is left to receipts whatever happens. */
const restsMax = 9;
/** What took longer has waited for the database. */
const tookMsMax = 1_000;
/** What has waited so long gives way no more. The doctor speaks of receipts that have waited for a minute. */
const patienceMs = 30_000;
/** Unknown ones are kept for a week, and no more rows than that, so that nobody fills the database with them. */
const unknownKept = { keptMs: 7 * 86_400_000, rowsMax: 10_000 };
const forgetEveryMs = 600_000;
/** How old the knowledge may be of which days there are still. */
const rangeKnownMs = 60_000;

/**
 * Finds the messages of stored receipts and hands them to the owners of their shards. By the key that Millrace sent
 * along it is arithmetic, but for a look whether the message was sent by the route that the receipt came in by: who knows
 * the address of one route can say nothing of the messages of another. Receipts of crowded routes give way to messages.
 */
export class ReceiptMatcher {
  readonly #settings: ReceiptMatcherSettings;
  #range: { fromMs: number; knownMs: number } | undefined;
  #forgotMs = Number.NEGATIVE_INFINITY;
  /** Until then crowded routes give way, if messages want the machine as long. */
  #restUntilMs = Number.NEGATIVE_INFINITY;

  constructor(settings: ReceiptMatcherSettings) {
    this.#settings = settings;
  }

  /**
   * Matches all that is due and does not give way. May run in several processes at once. What cannot be matched keeps nothing
   * else from it.
   * @throws the signal's reason; the first error, when all else has been matched
   */
  async runOnce(signal?: AbortSignal): Promise<void> {
    const { database, clock } = this.#settings;
    const run: Run = { signal, errors: [] };
    while (await this.#round(run));
    if (run.errors.length > 0) throw run.errors[0];
    if (clock.monotonicMs() - this.#forgotMs < forgetEveryMs) return;
    this.#forgotMs = clock.monotonicMs();
    await forgetUnknownReceipts(database, unknownKept);
  }

  /** Matches some of what is due. False when nothing was left to match, or other servers are at it. */
  async #round(run: Run): Promise<boolean> {
    const { calm, crowded } = partCrowded(await receiptsDueByRoute(this.#settings.database));
    const ofCalm = await this.#matchEach(calm, { run, match: (due) => this.#match(due, run) });
    const ofCrowded = await this.#matchEach(crowded, {
      run,
      match: async (due) => (this.#mayTake(due) ? await this.#matchCrowded(due, run) : 0),
    });
    return ofCalm + ofCrowded > 0;
  }

  /** Each until it has no more, as long as a look may be old. Answers how many rows were taken. */
  async #matchEach(
    dueOnShards: readonly DueOnShard[],
    { run, match }: { run: Run; match: (due: DueOnShard) => Promise<number> },
  ): Promise<number> {
    const { clock } = this.#settings;
    const untilMs = clock.monotonicMs() + lookMs;
    let taken = 0;
    for (const due of dueOnShards) {
      let rows: number;
      do {
        if (clock.monotonicMs() >= untilMs) return taken;
        run.signal?.throwIfAborted();
        rows = await match(due).catch((error: unknown) => {
          run.errors.push(error);
          return 0;
        });
        taken += rows;
      } while (rows > 0);
    }
    return taken;
  }

  #mayTake({ waitedMs }: DueOnShard): boolean {
    const { clock, givesWay } = this.#settings;
    return waitedMs >= patienceMs || clock.monotonicMs() >= this.#restUntilMs || !givesWay();
  }

  async #matchCrowded(due: DueOnShard, run: Run): Promise<number> {
    const { clock } = this.#settings;
    const beganAtMs = clock.monotonicMs();
    const rows = await this.#match(due, run);
    const endedAtMs = clock.monotonicMs();
    if (rows > 0) this.#restUntilMs = endedAtMs + restsMax * Math.min(endedAtMs - beganAtMs, tookMsMax);
    return rows;
  }

  async #match({ shard, routeIds }: DueOnShard, run: Run): Promise<number> {
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
    if (turn?.error !== undefined) run.errors.push(turn.error);
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
