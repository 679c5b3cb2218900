import type { Clock } from '../../lib/clock.ts';
import type { Database } from '../../store/database.ts';
import { addFold, noteKnown } from '../../store/statistics/add-fold.ts';
import { emptyDeltaSlot } from '../../store/statistics/empty-delta-slot.ts';
import { dropFold, type Fold, foldDeltas } from '../../store/statistics/fold-deltas.ts';
import type { StatisticsDays } from '../../store/statistics/periods.ts';
import { StatisticsPlaceError, settleTarget, whyNotThere } from '../../store/statistics/settle-target.ts';
import { dropExpiredStatistics } from '../../store/statistics/statistics-partitions.ts';

export interface StatisticsRollerSettings {
  /** Where messages are. */
  database: Database;
  /** Where statistics are kept. */
  statistics: Database;
  /** Set where that is another: makes its tables. Tried until it succeeds, while what is counted waits. */
  prepare?: () => Promise<void>;
  days: StatisticsDays;
  clock: Clock;
  onDropped: (partition: string) => void;
}

const keptElsewhere =
  'the statistics are kept in a database of their own, which this server is not told of: give it the option eventsDatabase';
/** While nothing comes, it is told this often that all is known. */
const tellEveryMs = 5_000;
const tidyEveryMs = 60_000;
/** A person has to name another database first. */
const askAgainMs = 30_000;
/** Turns of one run, so that it ends. */
const turnsMax = 200;

/**
 * Brings what was counted to where statistics are kept. Any number may run beside each other: one at a time folds, and what two
 * of them move arrives once.
 */
export class StatisticsRoller {
  readonly #settings: StatisticsRollerSettings;
  /** What names the other database, when it is ready. */
  #place: string | undefined;
  /** Until then nobody asks again whether the other database may be used. */
  #refusedUntilMs = Number.NEGATIVE_INFINITY;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #tidiedAtMs = Number.NEGATIVE_INFINITY;

  constructor(settings: StatisticsRollerSettings) {
    this.#settings = settings;
  }

  /** Moves what there is. True when nothing more is known to wait. */
  async runOnce(signal?: AbortSignal): Promise<boolean> {
    const { clock } = this.#settings;
    if (clock.monotonicMs() < this.#refusedUntilMs) {
      await this.#foldAll(signal);
      return false;
    }
    await this.#prepare(signal);
    const done = await this.#moveAll(signal);
    await this.#tidy();
    return done;
  }

  /** Whatever keeps the other database from being ready, what was counted is folded. Nothing is written to one that is not ours. */
  async #prepare(signal?: AbortSignal): Promise<void> {
    const { database, statistics, prepare, clock } = this.#settings;
    if (prepare === undefined || this.#place !== undefined) return;
    try {
      const refusal = await whyNotThere(database, statistics);
      if (refusal !== undefined) throw refusal;
      await prepare();
      this.#place = await settleTarget(database, statistics);
    } catch (error) {
      if (error instanceof StatisticsPlaceError) this.#refusedUntilMs = clock.monotonicMs() + askAgainMs;
      await this.#foldAll(signal);
      throw error;
    }
  }

  async #foldAll(signal?: AbortSignal): Promise<void> {
    for (let turn = 0; turn < turnsMax && !signal?.aborted; turn++) {
      if (!(await foldDeltas(this.#settings.database, { seal: false }))?.more) return;
    }
  }

  async #moveAll(signal?: AbortSignal): Promise<boolean> {
    for (let turn = 0; turn < turnsMax && !signal?.aborted; turn++) {
      const folded = await foldDeltas(this.#settings.database, { seal: true, place: this.#place });
      if (folded === undefined) return false;
      if (folded.isElsewhere) throw new StatisticsPlaceError(keptElsewhere);
      const { sealed, knownUntil, more, source } = folded;
      if (sealed) await this.#move(sealed);
      if (knownUntil) await this.#tell({ source, knownUntil, atOnce: sealed !== undefined });
      if (!more) return true;
    }
    return false;
  }

  async #move(fold: Fold): Promise<void> {
    const { database, statistics, days, clock } = this.#settings;
    await addFold(statistics, { fold, days, nowMs: clock.nowMs() });
    await dropFold(database, fold);
  }

  async #tell({ atOnce, ...known }: { source: string; knownUntil: Date; atOnce: boolean }): Promise<void> {
    const { statistics, clock } = this.#settings;
    if (!atOnce && clock.monotonicMs() - this.#toldAtMs < tellEveryMs) return;
    await noteKnown(statistics, known);
    this.#toldAtMs = clock.monotonicMs();
  }

  async #tidy(): Promise<void> {
    const { database, statistics, days, clock, onDropped } = this.#settings;
    if (clock.monotonicMs() - this.#tidiedAtMs < tidyEveryMs) return;
    this.#tidiedAtMs = clock.monotonicMs();
    await dropExpiredStatistics(statistics, { days, nowMs: clock.nowMs(), onDropped });
    await emptyDeltaSlot(database);
  }
}
