import { errorAt, type FoldedOutcomes, noReplays, type Replayed } from '../../message/fold-outcomes.ts';
import { isFinal, stateNumber } from '../../message/state.ts';
import type { MessageBefore, MessageOutcome } from '../outcomes/outcome-groups.ts';

/** What became of each message of a chunk so far: what was recorded before it was loaded, and what came since. */
export class MessageHistory {
  /** Messages without a final state. */
  unsettled: number;
  readonly #attempts: Uint16Array;
  readonly #states: Uint8Array;
  readonly #folded: FoldedOutcomes | undefined;
  #replayed: Replayed | undefined;
  /** Codes of the failures since the chunk was loaded. */
  readonly #failures = new Map<number, string>();

  constructor(count: number, folded: FoldedOutcomes | undefined) {
    this.#folded = folded;
    this.#attempts = folded?.attempt ?? new Uint16Array(count);
    this.#states = folded?.state ?? new Uint8Array(count);
    this.#replayed = folded?.replayed;
    this.unsettled = folded ? this.unsettledOffsets().length : count;
  }

  stateAt(offset: number): number {
    return this.#states[offset]!;
  }

  /** What an outcome changes. */
  before(offset: number, tags: readonly string[]): MessageBefore {
    return { prior: this.#states[offset]!, attemptsBefore: this.#attempts[offset]!, tags };
  }

  /** Attempts made so far. */
  attemptsAt(offset: number): number {
    return this.#attempts[offset]!;
  }

  /** Of those, the ones before its last replay. */
  attemptsBeforeAt(offset: number): number {
    return this.#replayed?.attemptsBefore[offset] ?? 0;
  }

  /** Replays that made another message of it for the provider. */
  renewalsAt(offset: number): number {
    return this.#replayed?.renewals[offset] ?? 0;
  }

  /** When the message was last replayed, in Unix milliseconds of the database; 0 if never. */
  replayedAtMs(offset: number): number {
    return this.#replayed?.atMs[offset] ?? 0;
  }

  /** It was tried, and is to be tried again. */
  isRetry(offset: number): boolean {
    return this.#states[offset] === stateNumber.retrying && this.#attempts[offset]! > 0;
  }

  get untried(): boolean {
    return this.#attempts.every((attempts) => attempts === 0);
  }

  /** Those without a final state. */
  unsettledOffsets(): number[] {
    const offsets: number[] = [];
    for (let offset = 0; offset < this.#states.length; offset++) {
      if (!isFinal(this.#states[offset]!)) offsets.push(offset);
    }
    return offsets;
  }

  /** True too when any failure is meant. */
  failedWith(offset: number, code: string | undefined): boolean {
    if (code === undefined) return true;
    const known = this.#failures.get(offset) ?? (this.#folded && errorAt(this.#folded, offset)?.code);
    return known === code;
  }

  note(offset: number, outcome: MessageOutcome): void {
    if (outcome.error && outcome.state === stateNumber.failed) this.#failures.set(offset, outcome.error.code);
    this.unsettled += Number(isFinal(this.#states[offset]!)) - Number(isFinal(outcome.state));
    this.#attempts[offset] = outcome.attempt;
    this.#states[offset] = outcome.state;
  }

  /** The message begins anew; `note` says so as well. */
  noteReplay(offset: number, databaseNowMs: number): void {
    this.#replayed ??= noReplays(this.#states.length);
    const { renewals, attemptsBefore, atMs } = this.#replayed;
    if (this.#states[offset] !== stateNumber.uncertain) renewals[offset]!++;
    attemptsBefore[offset] = this.#attempts[offset]!;
    atMs[offset] = databaseNowMs;
    this.#failures.delete(offset);
  }
}
