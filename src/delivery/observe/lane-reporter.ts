import type { Clock } from '../../lib/clock.ts';
import type { ActivityReport, LaneReport } from '../../store/delivery/worker-reports.ts';
import { laneName } from '../backlog/lane.ts';
import type { Activity, ActivityCounts } from './activity.ts';
import type { LaneStats } from './delivery-stats.ts';

export interface LaneReporterSettings {
  clock: Clock;
  store: {
    reportsWanted(): Promise<boolean>;
    saveReport(report: { workerId: string; lanes: LaneReport[]; activity: ActivityReport }): Promise<void>;
  };
  worker: { stats(): { workerId: string; lanes: LaneStats[] }; settled(): Map<string, number> };
  activity: Pick<Activity, 'counts' | 'errors'>;
}

/** Lanes of one report: the rest of an installation with more is told by the database alone. */
const lanesMax = 10_000;
/** Kinds of errors of one report, the most frequent. */
const errorsMax = 1_000;

/** What each lane had handed out when it was looked at. */
interface Look {
  atMs: number;
  handed: Map<string, number>;
  activity: Map<string, ActivityCounts>;
}

/** Tells the database what this worker knows of its lanes, as long as somebody looks. */
export class LaneReporter {
  readonly #settings: LaneReporterSettings;
  #before: Look | undefined;

  constructor(settings: LaneReporterSettings) {
    this.#settings = settings;
  }

  async runOnce(): Promise<void> {
    const { clock, store, worker, activity } = this.#settings;
    if (!(await store.reportsWanted())) {
      this.#before = undefined;
      return;
    }
    const { workerId, lanes } = worker.stats();
    const before = this.#before;
    const now = {
      atMs: clock.monotonicMs(),
      handed: new Map(lanes.map((lane) => [laneName(lane), lane.handed])),
      activity: new Map(activity.counts().map((counts) => [pairName(counts), counts])),
    };
    this.#before = now;
    // How fast it flows is known from the second turn on: whoever looks waits for that rather than read 0.
    if (before === undefined || before.atMs === now.atMs) return;
    await store.saveReport({
      workerId,
      lanes: this.#reports(lanes.slice(0, lanesMax), before, now.atMs),
      activity: {
        rates: rates(before, now),
        errors: activity.errors(now.atMs, errorsMax),
      },
    });
  }

  #reports(lanes: LaneStats[], before: Look, atMs: number): LaneReport[] {
    const settled = this.#settings.worker.settled();
    const seconds = (atMs - before.atMs) / 1_000;
    return lanes.map((lane) => {
      const name = laneName(lane);
      // A lane that was forgotten and came back counts from zero.
      const known = Math.min(before.handed.get(name) ?? 0, lane.handed);
      const { accountId, routeId, priority, aside, ratePerSecond, concurrency, breaker, failing } = lane;
      const { lastError: error } = lane;
      return {
        ...{ accountId, routeId, priority, aside, ratePerSecond, concurrency, breaker, failing },
        lastError: error && { code: error.code, at: new Date(error.atMs).toISOString() },
        settled: settled.get(name) ?? 0,
        sentPerSecond: (lane.handed - known) / seconds,
      };
    });
  }
}

function pairName({ accountId, routeId }: ActivityCounts): string {
  return `${accountId}/${routeId}`;
}

/** What became of messages a second, of those accounts and routes where something did. */
function rates(before: Look, now: Look): ActivityReport['rates'] {
  const seconds = (now.atMs - before.atMs) / 1_000;
  return [...now.activity].flatMap(([name, counts]) => {
    // One that was forgotten and came back counts from zero.
    const known = before.activity.get(name);
    const perSecond = (field: 'sent' | 'delivered' | 'failed' | 'retried' | 'uncertain') =>
      (counts[field] - Math.min(known?.[field] ?? 0, counts[field])) / seconds;
    const { accountId, routeId } = counts;
    const found = {
      sent: perSecond('sent'),
      delivered: perSecond('delivered'),
      failed: perSecond('failed'),
      retried: perSecond('retried'),
      uncertain: perSecond('uncertain'),
    };
    return Object.values(found).some((rate) => rate > 0) ? [{ accountId, routeId, ...found }] : [];
  });
}
