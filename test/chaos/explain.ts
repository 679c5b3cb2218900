import { shardOf } from '../../src/message/id.ts';
import { arrivalsSettleMs, type Fault } from './faults.ts';
import type { Unanswered } from './handover-watch.ts';
import { batchMax, leaseMs, type RouteName, routeConcurrency } from './installation.ts';
import type { Repeat } from './sink-watch.ts';

/**
 * Why a message came again, or is uncertain:
 * - `unanswered`: its request was cut, or its worker killed, before the answer had got through;
 * - `unrecorded`: it had been answered, or was on its way, and its outcome was not in the database at the fault;
 * - `marked`: the database had it as in flight;
 * - `late`: a suspended worker had begun its request, which arrived when it woke, or the transaction of its mark, which
 *   it committed then.
 */
export type Reason = 'unanswered' | 'unrecorded' | 'marked' | 'late';

/** When a message was marked as in flight for the last time, and when it was called uncertain. */
export interface MarkTimes {
  markedAt: number;
  uncertainAt: number;
}

export interface Explanation {
  id: string;
  /** Index of the fault. */
  fault: number;
  reason: Reason;
}

/** Answers what did not get through because of each fault, by the fault's index, and what no fault explains. */
export function requestsByFault(
  requests: readonly Unanswered[],
  faults: readonly Fault[],
): { byFault: Unanswered[][]; unexplained: Unanswered[] } {
  const byFault: Unanswered[][] = faults.map(() => []);
  const unexplained: Unanswered[] = [];
  for (const request of requests) {
    const index = faults.findIndex(
      ({ kind, beganAt, endedAt }) =>
        kind === (request.by === 'cut' ? 'cut sinks' : 'kill worker') &&
        request.by !== 'server' &&
        request.endedAt >= beganAt &&
        request.endedAt <= endedAt,
    );
    if (index < 0) unexplained.push(request);
    else byFault[index]!.push(request);
  }
  return { byFault, unexplained };
}

/** Gives each message that came again a reason, and each reason to one coming only. */
export class Explainer {
  readonly #faults: readonly Fault[];
  readonly #unanswered: Map<string, { fault: number; beganAt: number }[]>;
  readonly #unrecorded: Set<string>[];
  readonly #late: number[];

  constructor(
    route: RouteName,
    { faults, unanswered }: { faults: readonly Fault[]; unanswered: Unanswered[][] },
  ) {
    this.#faults = faults;
    this.#unanswered = new Map();
    for (const [fault, requests] of unanswered.entries()) {
      for (const { ids, beganAt } of requests) {
        for (const id of ids)
          this.#unanswered.set(id, [...(this.#unanswered.get(id) ?? []), { fault, beganAt }]);
      }
    }
    this.#unrecorded = faults.map(({ handedOver }) => new Set(handedOver[route]));
    this.#late = faults.map(({ kind }) =>
      kind === 'suspend worker' ? routeConcurrency * batchMax[route] : 0,
    );
  }

  repeat({ id, beforeAt, at }: Repeat): Explanation | undefined {
    const unanswered = this.#unanswered.get(id) ?? [];
    // A request that began after the message had come before is the one with which it came again.
    const cut = unanswered.findIndex(
      (request) => request.beganAt <= beforeAt && this.#faults[request.fault]!.beganAt <= at,
    );
    if (cut >= 0) {
      const { fault } = unanswered[cut]!;
      unanswered.splice(cut, 1);
      // The same handing over is no second reason.
      this.#unrecorded[fault]!.delete(id);
      return { id, fault, reason: 'unanswered' };
    }
    const open = this.#likeliest(
      (fault, index) =>
        beforeAt <= fault.readAt && mayHaveLedTo(fault, at) && this.#unrecorded[index]!.has(id),
    );
    if (open !== undefined) {
      this.#unrecorded[open]!.delete(id);
      return { id, fault: open, reason: 'unrecorded' };
    }
    const late = this.#faults.findIndex(
      (fault, index) => this.#late[index]! > 0 && mayBeLate({ id, at }, fault),
    );
    if (late < 0) return undefined;
    this.#late[late]!--;
    return { id, fault: late, reason: 'late' };
  }

  /** By a transaction that a worker had open when it was suspended: nobody saw its mark before the worker woke. */
  lateMark(id: string, { markedAt, uncertainAt }: MarkTimes): Explanation | undefined {
    const late = this.#faults.findIndex(
      ({ kind, beganAt, endedAt, shards }) =>
        kind === 'suspend worker' &&
        shards?.has(shardOf(id)) === true &&
        markedAt <= beganAt &&
        uncertainAt >= beganAt &&
        uncertainAt <= endedAt + leaseMs,
    );
    return late < 0 ? undefined : { id, fault: late, reason: 'late' };
  }

  uncertain(id: string): Explanation | undefined {
    const request = this.#unanswered.get(id)?.at(-1);
    if (request) return { id, fault: request.fault, reason: 'unanswered' };
    const marked = this.#likeliest((one) => one.marked.has(id));
    if (marked !== undefined) return { id, fault: marked, reason: 'marked' };
    const unrecorded = this.#likeliest((_, index) => this.#unrecorded[index]!.has(id));
    return unrecorded === undefined ? undefined : { id, fault: unrecorded, reason: 'unrecorded' };
  }

  /** Of the faults that may be it the last one that hit a worker: one without its database remembers what it did. */
  #likeliest(mayBe: (fault: Fault, index: number) => boolean): number | undefined {
    const found = this.#faults.flatMap((fault, index) => (mayBe(fault, index) ? [index] : []));
    return found.findLast((index) => this.#faults[index]!.kind.endsWith('worker')) ?? found.at(-1);
  }
}

/** What a worker had, nobody sends before its shards are taken: what comes again sooner is of an earlier fault. */
function mayHaveLedTo({ kind, beganAt }: Fault, at: number): boolean {
  return at >= (kind.endsWith('worker') ? beganAt + arrivalsSettleMs : beganAt);
}

/** A suspended worker may finish the requests that it had begun: they arrive when it wakes. */
function mayBeLate({ id, at }: Pick<Repeat, 'id' | 'at'>, { beganAt, endedAt, shards }: Fault): boolean {
  return at >= beganAt && at <= endedAt + leaseMs && shards?.has(shardOf(id)) === true;
}
