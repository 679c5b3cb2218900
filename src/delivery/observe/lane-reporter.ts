import type { Clock } from '../../lib/clock.ts';
import type { LaneReport } from '../../store/delivery/worker-reports.ts';
import { laneName } from '../backlog/lane.ts';
import type { LaneStats } from './delivery-stats.ts';

export interface LaneReporterSettings {
  clock: Clock;
  store: {
    reportsWanted(): Promise<boolean>;
    saveReport(report: { workerId: string; lanes: LaneReport[] }): Promise<void>;
  };
  worker: { stats(): { workerId: string; lanes: LaneStats[] }; settled(): Map<string, number> };
}

/** Lanes of one report: the rest of an installation with more is told by the database alone. */
const lanesMax = 10_000;

/** Tells the database what this worker knows of its lanes, as long as somebody looks. */
export class LaneReporter {
  readonly #settings: LaneReporterSettings;
  #before: { atMs: number; handed: Map<string, number> } | undefined;

  constructor(settings: LaneReporterSettings) {
    this.#settings = settings;
  }

  async runOnce(): Promise<void> {
    const { store, worker } = this.#settings;
    if (!(await store.reportsWanted())) {
      this.#before = undefined;
      return;
    }
    const { workerId, lanes } = worker.stats();
    await store.saveReport({ workerId, lanes: this.#reports(lanes.slice(0, lanesMax)) });
  }

  #reports(lanes: LaneStats[]): LaneReport[] {
    const settled = this.#settings.worker.settled();
    const before = this.#before;
    const atMs = this.#settings.clock.monotonicMs();
    this.#before = { atMs, handed: new Map(lanes.map((lane) => [laneName(lane), lane.handed])) };
    return lanes.map((lane) => {
      const name = laneName(lane);
      // A lane that was forgotten and came back counts from zero.
      const known = Math.min(before?.handed.get(name) ?? (before ? 0 : lane.handed), lane.handed);
      const seconds = (atMs - (before?.atMs ?? atMs)) / 1_000;
      const { accountId, routeId, priority, aside, ratePerSecond, concurrency, breaker } = lane;
      return {
        ...{ accountId, routeId, priority, aside, ratePerSecond, concurrency, breaker },
        settled: settled.get(name) ?? 0,
        sentPerSecond: seconds === 0 ? 0 : (lane.handed - known) / seconds,
      };
    });
  }
}
