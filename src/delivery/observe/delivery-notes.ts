import { priorityName } from '../../message/fields.ts';
import { unixMsOf } from '../../message/id.ts';
import { type State, stateName, stateNumber } from '../../message/state.ts';
import { bucketOf } from '../../observe/figures/counted-histogram.ts';
import { firstAttemptBounds } from '../../observe/figures/first-attempt-bounds.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import type { AnsweredSlice } from '../sending/settle-slice.ts';
import { type AnswerKind, AttemptLog, answerKinds } from './attempt-log.ts';
import type { DeliveryObserver, RecordedOutcomes } from './delivery-observer.ts';

/** Messages of requests that were answered with the same error. */
export interface AttemptErrors {
  routeId: number;
  answer: AnswerKind;
  code: string;
  count: number;
}

/** Outcomes recorded since the worker started. */
export interface OutcomeCount {
  routeId: number;
  state: State;
  count: number;
}

/** How long messages waited for their first attempt, by bucket of `firstAttemptBounds`. */
export interface FirstAttempts {
  priority: 'interactive' | 'bulk';
  counts: number[];
  sum: number;
}

/** What was noted between two readings. `attempts` are the entries of an AttemptLog. */
export interface TakenNotes {
  attempts: Float64Array<ArrayBuffer>;
  errors: AttemptErrors[];
  firstAttempts: FirstAttempts[];
}

/** Different errors noted between two readings; those beyond share a code. */
const errorsMax = 500;

/** Counts what happens to messages, for figures that are kept by another thread. */
export class DeliveryNotes implements DeliveryObserver {
  readonly #attempts = new AttemptLog();
  /** Of the request that is noted. */
  readonly #byKind = new Uint32Array(answerKinds.length);
  #errors = new Map<string, AttemptErrors>();
  #firstAttempts = new Map<number, FirstAttempts>();
  readonly #outcomes = new Map<number, OutcomeCount>();

  answered(slice: AnsweredSlice, databaseNowMs: (monotonicMs: number) => number): void {
    const { answers, route, beganAtMs, nowMs } = slice;
    const seconds = (nowMs - beganAtMs) / 1_000;
    const byKind = this.#byKind.fill(0);
    for (const answer of answers) {
      byKind[answerKinds.indexOf(answer.kind)]!++;
      if (answer.kind !== 'sent') this.#noteError(route.id, answer.kind, answer.error.code);
    }
    for (let kind = 0; kind < byKind.length; kind++) {
      const messages = byKind[kind]!;
      if (messages > 0) this.#attempts.note({ routeId: route.id, kind, messages, seconds });
    }
    this.#noteWaits(slice, databaseNowMs(beganAtMs));
  }

  recorded(outcomes: readonly RecordedOutcomes[]): void {
    for (const { chunk, group } of outcomes) {
      const { state, offsets } = group;
      // A mark, and a replay: what is told of them is what they come to.
      if (state === stateNumber.sending || state === stateNumber.queued) continue;
      const { routeId } = chunk.lane.key;
      const key = routeId * 16 + state;
      const known = this.#outcomes.get(key);
      if (known) known.count += offsets.length;
      else this.#outcomes.set(key, { routeId, state: stateName(state), count: offsets.length });
    }
  }

  /** What was noted since the last call. */
  take(): TakenNotes {
    const taken = {
      attempts: this.#attempts.take(),
      errors: [...this.#errors.values()],
      firstAttempts: [...this.#firstAttempts.values()],
    };
    this.#errors = new Map();
    this.#firstAttempts = new Map();
    return taken;
  }

  outcomes(): OutcomeCount[] {
    return [...this.#outcomes.values()];
  }

  #noteError(routeId: number, answer: AnswerKind, code: string): void {
    const isKnown = this.#errors.has(`${routeId} ${answer} ${code}`);
    const noted = isKnown || this.#errors.size < errorsMax ? code : 'other';
    const key = `${routeId} ${answer} ${noted}`;
    const known = this.#errors.get(key);
    if (known) known.count++;
    else this.#errors.set(key, { routeId, answer, code: noted, count: 1 });
  }

  #noteWaits({ slice }: AnsweredSlice, beganAtMs: number): void {
    let last: { work: ChunkWork; scheduledAtMs: number } | undefined;
    let waits!: FirstAttempts;
    let seconds = 0;
    let bucket = 0;
    for (let index = 0; index < slice.messages.length; index++) {
      if (slice.messages[index]!.attempt !== 1) continue;
      const work = slice.works[index]!;
      const scheduledAtMs = work.times?.scheduledAtMs(slice.offsets[index]!) ?? 0;
      if (work !== last?.work || scheduledAtMs !== last.scheduledAtMs) {
        last = { work, scheduledAtMs };
        waits = this.#waitsOf(work.chunk.lane.key.priority);
        seconds = Math.max(0, beganAtMs - Math.max(unixMsOf(work.chunk.id), scheduledAtMs)) / 1_000;
        bucket = bucketOf(seconds, firstAttemptBounds);
      }
      waits.counts[bucket]!++;
      waits.sum += seconds;
    }
  }

  #waitsOf(priority: number): FirstAttempts {
    let waits = this.#firstAttempts.get(priority);
    if (waits === undefined) {
      const counts = new Array<number>(firstAttemptBounds.length + 1).fill(0);
      waits = { priority: priorityName(priority), counts, sum: 0 };
      this.#firstAttempts.set(priority, waits);
    }
    return waits;
  }
}
