import type { Clock } from '../../lib/clock.ts';
import type { Database } from '../../store/database.ts';
import { addFold, noteKnown } from '../../store/statistics/add-fold.ts';
import { emptyDeltaSlot } from '../../store/statistics/empty-delta-slot.ts';
import { dropFold, type Fold, foldDeltas } from '../../store/statistics/fold-deltas.ts';
import type { StatisticsDays } from '../../store/statistics/periods.ts';
import { dropExpiredStatistics } from '../../store/statistics/statistics-partitions.ts';

export interface StatisticsRollerSettings {
  /** Where messages are. */
  database: Database;
  /** Where statistics are kept. */
  statistics: Database;
  days: StatisticsDays;
  clock: Clock;
  onDropped: (partition: string) => void;
}

/** While nothing comes, it is told this often that all is known. */
const tellEveryMs = 5_000;
const tidyEveryMs = 60_000;
/** Turns of one run, so that it ends. */
const turnsMax = 200;

/**
 * Brings what was counted to where statistics are kept. Any number may run beside each other: one at a time folds, and what two
 * of them move arrives once.
 */
export class StatisticsRoller {
  readonly #settings: StatisticsRollerSettings;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #tidiedAtMs = Number.NEGATIVE_INFINITY;

  constructor(settings: StatisticsRollerSettings) {
    this.#settings = settings;
  }

  /** Moves what there is. True when nothing more is known to wait. */
  async runOnce(signal?: AbortSignal): Promise<boolean> {
    const done = await this.#moveAll(signal);
    await this.#tidy();
    return done;
  }

  async #moveAll(signal?: AbortSignal): Promise<boolean> {
    for (let turn = 0; turn < turnsMax && !signal?.aborted; turn++) {
      const folded = await foldDeltas(this.#settings.database, { seal: true });
      if (folded === undefined) return false;
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
    await emptyDeltaSlot(database);
    await dropExpiredStatistics(statistics, { days, nowMs: clock.nowMs(), onDropped });
  }
}
