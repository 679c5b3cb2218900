import type { State } from '../../message/state.ts';
import type { PoolState } from '../../observe/figures/database-figures.ts';
import type { DeliveryFigures, DeliveryState, RouteState } from '../../observe/figures/delivery-figures.ts';
import { attemptsIn } from '../observe/attempt-log.ts';
import { type DeliveryCounts, noDeliveries } from '../observe/delivery-counts.ts';
import type { OutcomeCount } from '../observe/delivery-notes.ts';
import type { DeliveryReport } from './delivery-protocol.ts';

/** What the figures of deliveries are told to. */
export interface DeliveryMetrics extends Omit<DeliveryFigures, 'callbacksMade'> {
  databaseFault(kind: string): void;
  telemetryDropped(count: number): void;
}

const countedReceipts = [
  ['receiptsMatched', 'matched'],
  ['receiptsRepeated', 'repeated'],
  ['receiptsUnchanged', 'unchanged'],
  ['receiptsEarly', 'early'],
  ['receiptsLate', 'late'],
  ['receiptsUnknown', 'unknown'],
] as const satisfies readonly [keyof DeliveryCounts, string][];

/** What was told of one member last. */
interface Member {
  run: string;
  counts: DeliveryCounts;
  outcomes: readonly OutcomeCount[];
  state: DeliveryState;
  pools: readonly PoolState[];
  isBusyWithMessages: boolean;
}

/** Adds up what the workers of one server report: its own thread's and those of its further processes. */
export class DeliveryTally {
  readonly #metrics: DeliveryMetrics;
  readonly #members = new Map<number, Member>();

  constructor(metrics: DeliveryMetrics) {
    this.#metrics = metrics;
  }

  /** One of them at least is: callbacks and receipts give way. */
  get isBusyWithMessages(): boolean {
    return [...this.#members.values()].some((member) => member.isBusyWithMessages);
  }

  take(member: number, report: DeliveryReport): void {
    const { run, stats, outcomes, pools, faults } = report;
    this.#tellNotes(report);
    this.#metrics.telemetryDropped(report.telemetryDropped);
    const last = this.#members.get(member);
    // A worker that was started again counts from zero.
    const before = last?.run === run ? last : { counts: noDeliveries(), outcomes: [] };
    this.#tellOutcomes(report, before.outcomes);
    for (const [name, result] of countedReceipts) {
      const count = stats.counts[name] - before.counts[name];
      if (count > 0) this.#metrics.receiptsTold({ result, count });
    }
    for (const [kind, count] of Object.entries(faults)) {
      for (let n = 0; n < count; n++) this.#metrics.databaseFault(kind);
    }
    const { counts, isBusyWithMessages } = stats;
    this.#members.set(member, { run, counts, outcomes, state: stateOf(report), pools, isBusyWithMessages });
    this.#tellState();
  }

  /** The worker has ended: nothing of it is under way any more. */
  drop(member: number): void {
    if (this.#members.delete(member)) this.#tellState();
  }

  /** The connections of the workers. */
  pools(): PoolState[] {
    return [...this.#members.values()].flatMap(({ pools }) => pools);
  }

  #tellNotes({ notes, routeNames }: DeliveryReport): void {
    for (const { routeId, ...attempt } of attemptsIn(notes.attempts)) {
      this.#metrics.attemptAnswered({ ...attempt, route: nameOf(routeNames, routeId) });
    }
    for (const { routeId, ...errors } of notes.errors) {
      this.#metrics.attemptFailed({ ...errors, route: nameOf(routeNames, routeId) });
    }
    for (const waits of notes.firstAttempts) this.#metrics.firstAttemptsMade(waits);
  }

  #tellOutcomes({ outcomes, routeNames }: DeliveryReport, before: readonly OutcomeCount[]): void {
    const key = ({ routeId, state }: { routeId: number; state: State }) => `${routeId} ${state}`;
    const known = new Map(before.map((one) => [key(one), one.count]));
    for (const one of outcomes) {
      const count = one.count - (known.get(key(one)) ?? 0);
      const route = nameOf(routeNames, one.routeId);
      if (count > 0) this.#metrics.outcomesRecorded({ route, state: one.state, count });
    }
  }

  #tellState(): void {
    const routes: RouteState[] = [];
    const sum = {
      ...{ workers: 0, pendingChunks: 0, loadedChunks: 0, sendsInFlight: 0, ownedShards: 0 },
      ...{ unrecordedOutcomes: 0, loopLagSeconds: 0 },
    };
    for (const { state } of this.#members.values()) {
      routes.push(...state.routes);
      const loopLagSeconds = Math.max(sum.loopLagSeconds, state.loopLagSeconds);
      for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += state[name];
      sum.loopLagSeconds = loopLagSeconds;
    }
    this.#metrics.deliveryState({ ...sum, routes });
  }
}

function stateOf({ stats, routeNames, loopLagSeconds }: DeliveryReport): DeliveryState {
  return {
    workers: 1,
    pendingChunks: stats.lanes.reduce((sum, lane) => sum + lane.chunks, 0),
    loadedChunks: stats.loadedChunks,
    sendsInFlight: stats.inFlight,
    ownedShards: stats.shards,
    unrecordedOutcomes: stats.unrecorded,
    loopLagSeconds,
    routes: stats.routes.map(({ routeId, ...state }) => ({ route: nameOf(routeNames, routeId), ...state })),
  };
}

function nameOf(routeNames: Record<number, string>, routeId: number): string {
  return routeNames[routeId] ?? `route ${routeId}`;
}
