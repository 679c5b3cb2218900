import { type StateNumber, stateNumber } from '../../message/state.ts';
import { errorMinutes } from '../../store/delivery/worker-reports.ts';
import type { DeliveryObserver, RecordedOutcomes } from './delivery-observer.ts';

/** What became of messages of one account on one route since it was first heard of. */
export interface ActivityCounts {
  accountId: number;
  routeId: number;
  sent: number;
  delivered: number;
  failed: number;
  retried: number;
  uncertain: number;
}

export interface ErrorCount {
  accountId: number;
  routeId: number;
  code: string;
  count: number;
}

/** Pairs of account and route, and codes of one pair; what is beyond has its oldest forgotten, or is called by the last name. */
const pairsMax = 10_000;
const codesMax = 30;
const otherCodes = 'other';
const minuteMs = 60_000;

const counted = new Map<StateNumber, 'sent' | 'delivered' | 'failed' | 'retried' | 'uncertain'>([
  [stateNumber.sent, 'sent'],
  [stateNumber.delivered, 'delivered'],
  [stateNumber.failed, 'failed'],
  [stateNumber.retrying, 'retried'],
  [stateNumber.uncertain, 'uncertain'],
]);

interface Pair {
  counts: ActivityCounts;
  errors: Map<string, Minutes>;
}

/** A ring: the count of minute m is at m modulo its length, while `of` there says m. */
interface Minutes {
  of: Float64Array;
  counts: Float64Array;
}

/** What a worker's messages came to, by account and route, for those who watch. Counted always: it costs next to nothing. */
export class Activity implements DeliveryObserver {
  readonly #pairs = new Map<string, Pair>();
  #last: Pair | undefined;

  answered(): void {}

  recorded(outcomes: readonly RecordedOutcomes[]): void {
    for (const { chunk, group } of outcomes) {
      const { state, errorCode, atMs, offsets } = group;
      const field = counted.get(state);
      if (field === undefined && errorCode === null) continue;
      const pair = this.#pairOf(chunk.lane.key);
      const count = offsets.length;
      if (field !== undefined) pair.counts[field] += count;
      if (errorCode !== null) noteError(pair, { code: errorCode, count, atMs });
    }
  }

  counts(): ActivityCounts[] {
    return [...this.#pairs.values()].map(({ counts }) => ({ ...counts }));
  }

  /** Of the last minutes, the most frequent first. */
  errors(nowMs: number, limit: number): ErrorCount[] {
    const found: ErrorCount[] = [];
    for (const { counts, errors } of this.#pairs.values()) {
      for (const [code, minutes] of errors) {
        const count = sumOf(minutes, nowMs);
        if (count === 0) errors.delete(code);
        else found.push({ accountId: counts.accountId, routeId: counts.routeId, code, count });
      }
    }
    return found.sort((one, other) => other.count - one.count).slice(0, limit);
  }

  #pairOf({ accountId, routeId }: { accountId: number; routeId: number }): Pair {
    const last = this.#last?.counts;
    if (last?.accountId === accountId && last.routeId === routeId) return this.#last!;
    const name = `${accountId}/${routeId}`;
    let pair = this.#pairs.get(name);
    if (pair === undefined) {
      if (this.#pairs.size >= pairsMax) this.#pairs.delete(this.#pairs.keys().next().value!);
      const none = { sent: 0, delivered: 0, failed: 0, retried: 0, uncertain: 0 };
      pair = { counts: { accountId, routeId, ...none }, errors: new Map() };
      this.#pairs.set(name, pair);
    }
    this.#last = pair;
    return pair;
  }
}

function noteError(
  { errors }: Pair,
  { code, count, atMs }: { code: string; count: number; atMs: number },
): void {
  if (!errors.has(code) && errors.size >= codesMax) forgetOld(errors, atMs);
  const name = errors.has(code) || errors.size < codesMax ? code : otherCodes;
  let minutes = errors.get(name);
  if (minutes === undefined) {
    minutes = { of: new Float64Array(errorMinutes + 1), counts: new Float64Array(errorMinutes + 1) };
    errors.set(name, minutes);
  }
  const minute = Math.floor(atMs / minuteMs);
  const place = minute % (errorMinutes + 1);
  if (minutes.of[place] !== minute) {
    minutes.of[place] = minute;
    minutes.counts[place] = 0;
  }
  minutes.counts[place]! += count;
}

/** Nobody may have asked for a long time. */
function forgetOld(errors: Map<string, Minutes>, nowMs: number): void {
  for (const [code, minutes] of errors) if (sumOf(minutes, nowMs) === 0) errors.delete(code);
}

function sumOf({ of, counts }: Minutes, nowMs: number): number {
  const newest = Math.floor(nowMs / minuteMs);
  let sum = 0;
  for (let place = 0; place < of.length; place++)
    if (of[place]! >= newest - errorMinutes) sum += counts[place]!;
  return sum;
}
