import { type Bitmap, eachOffset, inBitmap, rankInBitmap } from './bitmap.ts';
import { isId } from './id.ts';
import { type State, type StateNumber, stateName, stateNumber } from './state.ts';

const idLength = 36;

/** One row of `outcome`: what became of some messages of a chunk at once. */
export interface OutcomeRow {
  at: Date;
  /** When a retry is due; null for every other state. */
  dueAt: Date | null;
  state: StateNumber;
  attempt: number;
  /** Null for all messages of the chunk. */
  offsets: Bitmap | null;
  errorCode: string | null;
  /** One for each message in order of offset, or a single one that stands for all. */
  details: (string | null)[] | null;
  /** One for each message in order of offset. */
  providerRefs: (string | null)[] | null;
}

/**
 * The present of each message of a chunk. Arrays are indexed by offset. Typed arrays and row numbers instead
 * of an object for each message: the fold allocates nothing per message, and what is rare (an
 * error, a reference) is looked up only where it is asked for.
 */
export interface FoldedOutcomes {
  rows: readonly OutcomeRow[];
  /** `queued` where nothing is recorded. */
  state: Uint8Array;
  /** Attempts so far. */
  attempt: Uint16Array;
  /** The row that decided the state, or -1. */
  row: Int32Array;
  /** The last row that names provider references and holds the message, or -1. */
  refRow: Int32Array;
  /** Where messages were replayed; undefined while none was. */
  replayed?: Replayed;
}

/**
 * What a replay changes of a message that had come to an end. Arrays are indexed by offset.
 * A replay is an outcome `queued`: it leaves the attempts as they are, and counts them from there.
 */
export interface Replayed {
  /** Replays of a message that was not `uncertain`: the provider must take each for another message. */
  renewals: Uint16Array;
  /** Attempts that were made before the last replay. */
  attemptsBefore: Uint16Array;
  /** When the last replay was, in Unix milliseconds; 0 for a message without one. */
  atMs: Float64Array;
}

export interface MessageError {
  code: string;
  detail: string | null;
}

export interface TimelineEntry {
  at: Date;
  state: State;
  attempt?: number;
  error?: MessageError;
  /** Of a `retrying` one, when the next attempt is due. */
  dueAt?: Date;
}

/** Folds the outcomes of a chunk of `count` messages. `rows` are in order of `seq`: the last word stands. */
export function foldOutcomes(count: number, rows: readonly OutcomeRow[]): FoldedOutcomes {
  const folded: FoldedOutcomes = {
    rows,
    state: new Uint8Array(count),
    attempt: new Uint16Array(count),
    row: new Int32Array(count).fill(-1),
    refRow: new Int32Array(count).fill(-1),
  };
  rows.forEach((row, index) => {
    foldRow(folded, row, index);
  });
  return folded;
}

/** What went wrong with a message, as far as its present state is due to it. */
export function errorAt(folded: FoldedOutcomes, offset: number): MessageError | undefined {
  const row = folded.rows[folded.row[offset] ?? -1];
  return row && errorIn(row, offset);
}

/** The provider's own id of a message; a later outcome without one leaves it as it was. */
export function providerRefAt(folded: FoldedOutcomes, offset: number): string | undefined {
  const row = folded.rows[folded.refRow[offset] ?? -1];
  return row?.providerRefs?.[rankInBitmap(row.offsets, offset)] ?? undefined;
}

/** When a message came into its state; undefined where nothing is recorded: it is as it was accepted. */
export function stateAtOf(folded: FoldedOutcomes, offset: number): string | undefined {
  return folded.rows[folded.row[offset] ?? -1]?.at.toISOString();
}

/** When the retry of a message is due; undefined unless it is waiting for one. */
export function dueAtOf(folded: FoldedOutcomes, offset: number): Date | undefined {
  if (folded.state[offset] !== stateNumber.retrying) return undefined;
  return folded.rows[folded.row[offset] ?? -1]?.dueAt ?? undefined;
}

/** Everything recorded of one message, oldest first. */
export function timelineOf(rows: readonly OutcomeRow[], offset: number): TimelineEntry[] {
  return rows
    .filter((row) => inBitmap(row.offsets, offset))
    .map((row) => {
      const error = errorIn(row, offset);
      return {
        at: row.at,
        state: stateName(row.state),
        ...(row.attempt > 0 && { attempt: row.attempt }),
        ...(error && { error }),
        ...(row.dueAt && { dueAt: row.dueAt }),
      };
    });
}

/** The key by which the provider tells a message from another: its id, followed by the number of renewals. */
export function providerKeyOf(id: string, renewals: number): string {
  return renewals === 0 ? id : `${id}.${renewals}`;
}

/** What such a key names; undefined for a text that is none. */
export function parseProviderKey(key: string): { id: string; renewals: number } | undefined {
  const id = key.slice(0, idLength);
  if (!isId(id)) return undefined;
  if (key.length === idLength) return { id, renewals: 0 };
  const digits = /^\.([1-9]\d{0,3})$/.exec(key.slice(idLength))?.[1];
  return digits === undefined ? undefined : { id, renewals: Number(digits) };
}

export function noReplays(count: number): Replayed {
  return {
    renewals: new Uint16Array(count),
    attemptsBefore: new Uint16Array(count),
    atMs: new Float64Array(count),
  };
}

function foldReplay(folded: FoldedOutcomes, row: OutcomeRow): void {
  folded.replayed ??= noReplays(folded.state.length);
  const { renewals, attemptsBefore, atMs } = folded.replayed;
  eachOffset(row.offsets, folded.state.length, (offset) => {
    if (folded.state[offset] !== stateNumber.uncertain) renewals[offset]!++;
    attemptsBefore[offset] = row.attempt;
    atMs[offset] = row.at.getTime();
  });
}

function foldRow(folded: FoldedOutcomes, row: OutcomeRow, index: number): void {
  const { state, attempt, row: decided, refRow } = folded;
  if (row.state === stateNumber.queued) foldReplay(folded, row);
  const refs = row.providerRefs;
  if (row.offsets === null) {
    state.fill(row.state);
    attempt.fill(row.attempt);
    decided.fill(index);
  } else {
    eachOffset(row.offsets, state.length, (offset) => {
      state[offset] = row.state;
      attempt[offset] = row.attempt;
      decided[offset] = index;
    });
  }
  if (refs === null) return;
  let rank = 0;
  eachOffset(row.offsets, state.length, (offset) => {
    if (refs[rank++] != null) refRow[offset] = index;
  });
}

function errorIn(row: OutcomeRow, offset: number): MessageError | undefined {
  if (row.errorCode === null) return undefined;
  const { details } = row;
  const detail = details?.length === 1 ? details[0] : details?.[rankInBitmap(row.offsets, offset)];
  return { code: row.errorCode, detail: detail ?? null };
}
