import { type Bitmap, inBitmap } from '../message/bitmap.ts';
import type { MessageDefaults, MessageFields } from '../message/fields.ts';
import type { FoldedOutcomes } from '../message/fold-outcomes.ts';
import { messageIds } from '../message/id.ts';
import { isFinal, type StateNumber, stateNumber } from '../message/state.ts';
import type { PendingChunk } from './pending-chunk.ts';

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

export interface ChunkContents {
  lines: string[];
  defaults: MessageDefaults | undefined;
  /** What is recorded so far; undefined for nothing. */
  folded: FoldedOutcomes | undefined;
  /** Retries that are due after this moment wait; by the monotonic clock and, in `folded`, as `dueAtMs` says. */
  nowMs: number;
  /** When the retry of a message is due on the monotonic clock. */
  dueAtMs: (offset: number) => number;
}

/** Bytes of a message's id, line object, state and attempts. */
const messageOverhead = 150;

/** The messages of one chunk while they are being delivered. */
export class ChunkWork {
  readonly chunk: PendingChunk;
  /** About what the chunk weighs in memory, in bytes. */
  readonly size: number;
  /** Messages that can be sent now. */
  ready = 0;
  /** Messages handed to a sender. */
  inFlight = 0;
  /** Messages whose retry is not due yet. */
  waitingMessages = 0;
  /** Messages without a final state. */
  unsettled = 0;
  /** When the backlog looks at it again for the sake of a retry. */
  wakeAtMs = Number.POSITIVE_INFINITY;
  /** In the queue of its lane. */
  offered = false;
  /** Came to rest; retries that come due are no longer sent from here. */
  closed = false;
  /** In the outcome buffer's list of chunks to record. */
  dirty = false;
  #lines: string[];
  #ids: string[];
  readonly #defaults: [string, unknown][];
  readonly #attempts: Uint16Array;
  readonly #states: Uint8Array;
  readonly #first: Bitmap | null;
  #cursor = 0;
  #due: number[] = [];
  #waiting: { dueAtMs: number; offsets: number[] }[] = [];
  #groups: OutcomeGroup[] = [];

  constructor(chunk: PendingChunk, contents: ChunkContents) {
    const { lines, folded } = contents;
    this.chunk = chunk;
    this.size = lines.reduce((sum, line) => sum + line.length + messageOverhead, 0);
    this.#lines = lines;
    this.#ids = messageIds(chunk.id, chunk.count);
    this.#defaults = Object.entries(contents.defaults ?? {});
    this.#attempts = folded?.attempt ?? new Uint16Array(chunk.count);
    this.#states = folded?.state ?? new Uint8Array(chunk.count);
    if (folded === undefined && chunk.remaining === null) {
      this.#first = null;
      this.unsettled = chunk.count;
      this.ready = chunk.count;
    } else {
      this.#first = this.#sortOut(contents);
    }
  }

  /** The next message to send, now in flight. Only while `ready` is above zero. */
  take(): number {
    this.ready--;
    this.inFlight++;
    const retried = this.#due.pop();
    if (retried !== undefined) return retried;
    while (!inBitmap(this.#first, this.#cursor)) this.#cursor++;
    return this.#cursor++;
  }

  idAt(offset: number): string {
    return this.#ids[offset]!;
  }

  /** Attempts made so far. */
  attemptsAt(offset: number): number {
    return this.#attempts[offset]!;
  }

  /** The message's own fields over those of its batch. Throws when the stored line cannot be read. */
  fieldsAt(offset: number): MessageFields {
    const fields = JSON.parse(this.#lines[offset]!) as MessageFields & Record<string, unknown>;
    // Filling in is half the cost of spreading both into a third object.
    for (const [name, value] of this.#defaults) {
      if (!Object.hasOwn(fields, name)) fields[name] = value;
    }
    return fields;
  }

  /** A message that was taken was not sent, and is not going to be from here. */
  giveBack(): void {
    this.inFlight--;
  }

  /** What became of a message that was taken. */
  record(offset: number, outcome: MessageOutcome): void {
    this.inFlight--;
    const group = this.#groupFor(offset, outcome);
    const index = group.offsets.push(offset) - 1;
    if (outcome.error) {
      group.details ??= [];
      group.details[index] = outcome.error.detail;
    }
    if (outcome.providerRef !== undefined) {
      group.providerRefs ??= new Array<string | null>(index).fill(null);
      group.providerRefs[index] = outcome.providerRef;
    } else if (group.providerRefs !== null) group.providerRefs[index] = null;
    this.#attempts[offset] = outcome.attempt;
    this.#states[offset] = outcome.state;
    if (group.dueAtMs !== null) this.#wait(offset, group.dueAtMs);
    else if (isFinal(outcome.state)) this.unsettled--;
  }

  /** What happened since the last call, in an order that keeps a message's own outcomes in theirs. */
  takeGroups(): OutcomeGroup[] {
    const groups = this.#groups;
    this.#groups = [];
    // A message's attempts rise, and a decision without an attempt follows the retry that it ends.
    return groups.sort((a, b) => a.attempt - b.attempt || a.state - b.state);
  }

  /** Makes retries sendable whose time has come, and says how many. */
  wake(nowMs: number): number {
    let woken = 0;
    this.wakeAtMs = Number.POSITIVE_INFINITY;
    this.#waiting = this.#waiting.filter(({ dueAtMs, offsets }) => {
      if (dueAtMs > nowMs) return true;
      this.#due.push(...offsets);
      woken += offsets.length;
      return false;
    });
    this.ready += woken;
    this.waitingMessages -= woken;
    return woken;
  }

  /** The earliest retry that waits, or Infinity. */
  get nextDueAtMs(): number {
    return this.#waiting.reduce((least, { dueAtMs }) => Math.min(least, dueAtMs), Number.POSITIVE_INFINITY);
  }

  /** The chunk is done, or all that remains of it waits. */
  get resting(): boolean {
    return this.inFlight === 0 && this.unsettled === this.waitingMessages;
  }

  /** The messages that wait. */
  waitingOffsets(): number[] {
    return this.#waiting.flatMap(({ offsets }) => offsets);
  }

  /** Lets go of the messages' text, which may be large; outcomes can still be taken. */
  dropText(): void {
    this.#lines = [];
    this.#ids = [];
  }

  /** Finds what is left to do of a chunk that was worked on before. */
  #sortOut({ nowMs, dueAtMs }: ChunkContents): Bitmap {
    const { chunk } = this;
    const first = new Uint8Array((chunk.count + 7) >> 3);
    for (let offset = 0; offset < chunk.count; offset++) {
      if (!inBitmap(chunk.remaining, offset) || isFinal(this.#states[offset]!)) continue;
      this.unsettled++;
      const retryAtMs = this.#states[offset] === stateNumber.retrying ? dueAtMs(offset) : nowMs;
      if (retryAtMs > nowMs) {
        this.#wait(offset, retryAtMs);
      } else {
        first[offset >> 3]! |= 1 << (offset & 7);
        this.ready++;
      }
    }
    return first;
  }

  #wait(offset: number, dueAtMs: number): void {
    this.waitingMessages++;
    const last = this.#waiting.at(-1);
    if (last?.dueAtMs === dueAtMs) last.offsets.push(offset);
    else this.#waiting.push({ dueAtMs, offsets: [offset] });
  }

  #groupFor(offset: number, outcome: MessageOutcome): OutcomeGroup {
    const prior = this.#states[offset]!;
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
