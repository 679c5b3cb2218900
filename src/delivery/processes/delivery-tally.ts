import type { State } from '../../message/state.ts';
import type { AnswerKind } from '../observe/attempt-log.ts';
import { attemptsIn } from '../observe/attempt-log.ts';
import { type DeliveryCounts, noDeliveries } from '../observe/delivery-counts.ts';
import type { DeliveryReport } from './delivery-protocol.ts';

/** What the figures of deliveries are told to. */
export interface DeliveryMetrics {
  attemptAnswered(event: { route: string; answer: AnswerKind; messages: number; seconds: number }): void;
  outcomesRecorded(event: { state: State; count: number }): void;
  /** Sums over the workers of this server. */
  deliveryState(state: DeliveryState): void;
  receiptsTold(event: { result: ReceiptResult; count: number }): void;
  databaseFault(kind: string): void;
}

type ReceiptResult = (typeof countedReceipts)[number][1];

interface DeliveryState {
  workers: number;
  pendingChunks: number;
  loadedChunks: number;
  sendsInFlight: number;
  ownedShards: number;
}

const countedStates = [
  ['sent', 'sent'],
  ['retried', 'retrying'],
  ['failed', 'failed'],
  ['expired', 'expired'],
  ['canceled', 'canceled'],
  ['suppressed', 'suppressed'],
  ['uncertain', 'uncertain'],
  ['delivered', 'delivered'],
] as const satisfies readonly [keyof DeliveryCounts, State][];

const countedReceipts = [
  ['receiptsMatched', 'matched'],
  ['receiptsRepeated', 'repeated'],
  ['receiptsUnchanged', 'unchanged'],
  ['receiptsEarly', 'early'],
  ['receiptsLate', 'late'],
  ['receiptsUnknown', 'unknown'],
] as const satisfies readonly [keyof DeliveryCounts, string][];

interface Member {
  run: string;
  counts: DeliveryCounts;
  state: DeliveryState;
  callbacksGiveWay: boolean;
}

/** Adds up what the workers of one server report: its own thread's and those of its further processes. */
export class DeliveryTally {
  readonly #metrics: DeliveryMetrics;
  readonly #members = new Map<number, Member>();

  constructor(metrics: DeliveryMetrics) {
    this.#metrics = metrics;
  }

  /** One of them at least holds callbacks back. */
  get callbacksGiveWay(): boolean {
    return [...this.#members.values()].some((member) => member.callbacksGiveWay);
  }

  take(member: number, report: DeliveryReport): void {
    const { stats, routeNames, attempts, faults } = report;
    for (const { routeId, ...attempt } of attemptsIn(attempts)) {
      this.#metrics.attemptAnswered({ ...attempt, route: routeNames[routeId] ?? `route ${routeId}` });
    }
    const before = this.#members.get(member);
    // A worker that was started again counts from zero.
    const known = before?.run === report.run ? before.counts : noDeliveries();
    for (const [name, state] of countedStates) {
      this.#metrics.outcomesRecorded({ state, count: stats.counts[name] - known[name] });
    }
    for (const [name, result] of countedReceipts) {
      const count = stats.counts[name] - known[name];
      if (count > 0) this.#metrics.receiptsTold({ result, count });
    }
    for (const [kind, count] of Object.entries(faults)) {
      for (let n = 0; n < count; n++) this.#metrics.databaseFault(kind);
    }
    const state = {
      workers: 1,
      pendingChunks: stats.lanes.reduce((sum, lane) => sum + lane.chunks, 0),
      loadedChunks: stats.loadedChunks,
      sendsInFlight: stats.inFlight,
      ownedShards: stats.shards,
    };
    const { counts, callbacksGiveWay } = stats;
    this.#members.set(member, { run: report.run, counts, state, callbacksGiveWay });
    this.#tellState();
  }

  /** The worker has ended: nothing of it is under way any more. */
  drop(member: number): void {
    if (this.#members.delete(member)) this.#tellState();
  }

  #tellState(): void {
    const sum = { workers: 0, pendingChunks: 0, loadedChunks: 0, sendsInFlight: 0, ownedShards: 0 };
    for (const { state } of this.#members.values()) {
      for (const name of Object.keys(sum) as (keyof DeliveryState)[]) sum[name] += state[name];
    }
    this.#metrics.deliveryState(sum);
  }
}
