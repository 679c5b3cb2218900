import type { StateNumber } from '../../message/state.ts';

/** Some messages of a chunk that came to the same end at about the same time: one row of `outcome`. */
export interface OutcomeGroup {
  state: StateNumber;
  attempt: number;
  /** The last recorded state of these messages. */
  prior: number;
  errorCode: string | null;
  /** When their retry is due; they share it. */
  dueAtMs: number | null;
  atMs: number;
  offsets: number[];
  /** In order of `offsets`; null while no message has one. */
  details: string[] | null;
  providerRefs: (string | null)[] | null;
}

export interface MessageOutcome {
  state: StateNumber;
  attempt: number;
  atMs: number;
  error?: { code: string; detail: string };
  /** When a retry is due, if this is the first of its kind, and the earliest time that the provider bears. */
  dueAtMs?: number;
  notBeforeMs?: number;
  providerRef?: string;
}

/** The outcomes of one chunk that are not recorded yet, those alike together. */
export class OutcomeGroups {
  #groups: OutcomeGroup[] = [];
  /** Complete: what follows may be of the same kind, but comes after them. */
  #sealed: OutcomeGroup[] = [];

  /** Adds the outcome of one message, whose last state was `prior`. The answer is when its retry is due. */
  note({
    offset,
    outcome,
    prior,
  }: {
    offset: number;
    outcome: MessageOutcome;
    prior: number;
  }): number | null {
    const group = this.#groupFor(prior, outcome);
    const index = group.offsets.push(offset) - 1;
    if (outcome.error) {
      group.details ??= [];
      group.details[index] = outcome.error.detail;
    }
    if (outcome.providerRef !== undefined) {
      group.providerRefs ??= new Array<string | null>(index).fill(null);
      group.providerRefs[index] = outcome.providerRef;
    } else if (group.providerRefs !== null) group.providerRefs[index] = null;
    return group.dueAtMs;
  }

  /** What is noted from now on comes after what was noted so far. */
  seal(): void {
    // A message's attempts rise, and a decision without an attempt follows the retry that it ends.
    this.#groups.sort((a, b) => a.attempt - b.attempt || a.state - b.state);
    this.#sealed.push(...this.#groups);
    this.#groups = [];
  }

  /** Everything since the last call, in an order that keeps a message's own outcomes in theirs. */
  take(): OutcomeGroup[] {
    this.seal();
    const groups = this.#sealed;
    this.#sealed = [];
    return groups;
  }

  #groupFor(prior: number, outcome: MessageOutcome): OutcomeGroup {
    const errorCode = outcome.error?.code ?? null;
    for (const group of this.#groups) {
      const { state, attempt } = outcome;
      const same = group.state === state && group.attempt === attempt && group.errorCode === errorCode;
      if (!same || group.prior !== prior) continue;
      // Messages that failed alike share a retry, unless the provider asked for a later one.
      if (group.dueAtMs === null || group.dueAtMs >= (outcome.notBeforeMs ?? 0)) return group;
    }
    const group: OutcomeGroup = {
      state: outcome.state,
      attempt: outcome.attempt,
      prior,
      errorCode,
      dueAtMs: outcome.dueAtMs ?? null,
      atMs: outcome.atMs,
      offsets: [],
      details: null,
      providerRefs: null,
    };
    this.#groups.push(group);
    return group;
  }
}
