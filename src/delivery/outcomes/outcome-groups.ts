import { type StateNumber, stateNumber } from '../../message/state.ts';

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
  /** Attempts that each of these messages came to by it. */
  attempts: number;
  /** When the attempts began, if there are any, and undefined where that is unknown: so many messages each, in order of `offsets`. */
  began: { atMs: number | undefined; messages: number }[];
  /** In order of `offsets`; null while no message has any. */
  tags: (readonly string[])[] | null;
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
  /** When the attempt that it tells of began. */
  beganAtMs?: number;
}

/** A message before its outcome. */
export interface MessageBefore {
  /** The state that it had last. */
  prior: number;
  /** Attempts that had been made, one that was marked as in flight among them. */
  attemptsBefore: number;
  tags: readonly string[];
}

/** The outcomes of one chunk that are not recorded yet, those alike together. */
export class OutcomeGroups {
  #groups: OutcomeGroup[] = [];
  /** Complete: what follows may be of the same kind, but comes after them. */
  #sealed: OutcomeGroup[] = [];

  /** Adds the outcome of one message. The answer is when its retry is due. */
  note({
    offset,
    outcome,
    before,
  }: {
    offset: number;
    outcome: MessageOutcome;
    before: MessageBefore;
  }): number | null {
    const group = this.#groupFor(before, outcome);
    const index = group.offsets.push(offset) - 1;
    if (group.attempts > 0) {
      const last = group.began.at(-1);
      if (last && last.atMs === outcome.beganAtMs) last.messages++;
      else group.began.push({ atMs: outcome.beganAtMs, messages: 1 });
    }
    if (before.tags.length > 0) group.tags ??= new Array<readonly string[]>(index).fill(noTags);
    group.tags?.push(before.tags);
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

  #groupFor(before: MessageBefore, outcome: MessageOutcome): OutcomeGroup {
    const { prior } = before;
    const errorCode = outcome.error?.code ?? null;
    const attempts = attemptsOf(before, outcome);
    for (const group of this.#groups) {
      const { state, attempt } = outcome;
      const same = group.state === state && group.attempt === attempt && group.errorCode === errorCode;
      if (!same || group.prior !== prior || group.attempts !== attempts) continue;
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
      attempts,
      began: [],
      tags: null,
    };
    this.#groups.push(group);
    return group;
  }
}

const noTags: readonly string[] = [];

/** A mark is none yet: it may be taken back. */
function attemptsOf({ prior, attemptsBefore }: MessageBefore, { state, attempt }: MessageOutcome): number {
  if (state === stateNumber.sending) return 0;
  return attempt - attemptsBefore + (prior === stateNumber.sending ? 1 : 0);
}
