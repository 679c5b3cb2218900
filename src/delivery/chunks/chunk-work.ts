import { type Bitmap, eachOffset } from '../../message/bitmap.ts';
import { erasedError } from '../../message/erased-line.ts';
import type { MessageFields } from '../../message/fields.ts';
import { providerKeyOf } from '../../message/fold-outcomes.ts';
import type { SendWindow } from '../../message/send-window/send-window.ts';
import { isFinal, stateNumber } from '../../message/state.ts';
import type { PendingChunk } from '../backlog/pending-chunk.ts';
import type { Decided, Decision, ReceiptDecision } from '../decisions/decision.ts';
import { KeyedMessages } from '../ordering/keyed-messages.ts';
import { type MessageOutcome, type OutcomeGroup, OutcomeGroups } from '../outcomes/outcome-groups.ts';
import { canceledAt, interruptedAt } from '../outcomes/own-outcomes.ts';
import type { RetryGate } from '../pace/retry-budget.ts';
import { applyReceipts, type ReceiptsTaken } from './apply-receipts.ts';
import { AsideMessages } from './aside-messages.ts';
import type { ChunkContents } from './chunk-contents.ts';
import { ChunkText } from './chunk-text.ts';
import { leftToDo } from './left-to-do.ts';
import { MessageExpiry } from './message-expiry.ts';
import { MessageHistory } from './message-history.ts';
import type { MessageTimes } from './message-times.ts';
import { SendQueue } from './send-queue.ts';

/** The messages of one chunk while they are being delivered. */
export class ChunkWork {
  readonly chunk: PendingChunk;
  /** About what the chunk weighs in memory, in bytes. */
  readonly size: number;
  readonly times: MessageTimes | undefined;
  readonly expiry: MessageExpiry;
  /** A test key has sent its messages: nobody gets them. */
  readonly isTest: boolean;
  /** Outside of it nothing of its batch is sent; undefined for none. */
  readonly window: SendWindow | undefined;
  /** Stays in memory while a message of it is due soon; false when there is no room for that. */
  lingers: boolean;
  /** Messages that can be sent now. */
  ready = 0;
  /** Messages handed to a sender. */
  inFlight = 0;
  /** When the backlog looks at it again for the sake of what waits. */
  wakeAtMs = Number.POSITIVE_INFINITY;
  /** In the queue of its lane. */
  offered = false;
  /** Came to rest; retries that come due are no longer sent from here. */
  closed = false;
  /** In the outcome buffer's list of chunks to record. */
  dirty = false;
  /** What its unrecorded outcomes weigh in the outcome buffer. */
  unrecorded = 0;
  /** Messages that became uncertain when the chunk was loaded: an earlier owner ended while it sent them. */
  interrupted = 0;
  /** Nothing more is sent from here: it rests as soon as nothing is in flight. */
  parked: boolean;
  /** The fingerprint of the window of its route that put messages off since it was loaded. */
  putOffBy: number | null = null;
  /** Messages that wait in memory for room at their destinations. */
  readonly aside: AsideMessages;
  /** Who waits for others of their ordering keys; absent where nobody has one. */
  readonly keyed: KeyedMessages | undefined;
  /** Others wait for what is recorded next. */
  urgent = false;
  /** Requests of the inbox that are answered by what is recorded next. */
  answered: string[] = [];
  /** Matched receipts that are, likewise. */
  receipts: string[] = [];
  /** Offsets of messages whose recipients were suppressed when they were looked up, at this moment or later. */
  suppressed: ReadonlySet<number> | undefined;
  checkedAtMs = Number.NEGATIVE_INFINITY;
  readonly #text: ChunkText;
  readonly #history: MessageHistory;
  readonly #queue: SendQueue;
  /** 1 for a message that is in flight, 2 for one that is canceled unless this attempt ends it. */
  readonly #taken: Uint8Array;
  readonly #outcomes = new OutcomeGroups();
  readonly #dueAtMs: (offset: number) => number;

  constructor(chunk: PendingChunk, contents: ChunkContents) {
    const { folded } = contents;
    this.chunk = chunk;
    this.isTest = contents.test;
    this.times = contents.times;
    this.window = contents.defaults?.sendWindow;
    this.lingers = contents.times !== undefined;
    this.#text = new ChunkText(chunk, contents);
    this.#history = new MessageHistory(chunk.count, folded);
    this.expiry = new MessageExpiry({ chunkId: chunk.id, times: this.times, history: this.#history });
    this.#queue = new SendQueue(chunk.count);
    this.size = this.#text.size;
    this.aside = new AsideMessages(chunk.lane, this.size);
    this.#taken = new Uint8Array(chunk.count);
    this.parked = contents.parked ?? false;
    this.keyed = chunk.order && new KeyedMessages(chunk.order);
    this.#dueAtMs = contents.dueAtMs;
    const untouched = folded === undefined && chunk.remaining === null;
    if (untouched && contents.times === undefined && this.keyed === undefined) {
      this.ready = chunk.count;
    } else {
      const { first, ready } = leftToDo(contents, {
        chunk,
        history: this.#history,
        waiting: this.#queue.waiting,
        keyed: this.keyed,
        noteInterrupted: (offset) => {
          this.#note(offset, interruptedAt(this.#history.attemptsAt(offset), contents.nowMs));
          this.interrupted++;
        },
      });
      this.#queue.begin(first);
      this.ready = ready;
    }
  }

  /** Messages without a final state. */
  get unsettled(): number {
    return this.#history.unsettled;
  }

  /** Nothing of it was ever tried. */
  get untried(): boolean {
    return this.unsettled === this.chunk.count && this.#history.untried;
  }

  unsettledOffsets(): number[] {
    return this.#history.unsettledOffsets();
  }

  /** The next message to send, now in flight. Only while `ready` is above zero. */
  take(): number {
    this.ready--;
    this.inFlight++;
    const offset = this.#queue.next();
    this.#taken[offset] = 1;
    return offset;
  }

  idAt(offset: number): string {
    return this.#text.idAt(offset);
  }

  /** The countries that the recipient's number may belong to: see `ChunkText`. */
  placeAt(offset: number): string | undefined {
    return this.#text.placeAt(offset);
  }

  /** Attempts made so far. */
  attemptsAt(offset: number): number {
    return this.#history.attemptsAt(offset);
  }

  /** Of those, the ones before its last replay: they are not held against it. */
  attemptsBeforeAt(offset: number): number {
    return this.#history.attemptsBeforeAt(offset);
  }

  /** Replays that made another message of it for the provider. */
  renewalsAt(offset: number): number {
    return this.#history.renewalsAt(offset);
  }

  /** What the provider knows the message by. */
  keyAt(offset: number): string {
    return providerKeyOf(this.idAt(offset), this.#history.renewalsAt(offset));
  }

  /** Some of its messages may have to be rendered. */
  get isTemplated(): boolean {
    return this.#text.isTemplated;
  }

  /** The message's own fields over those of its batch, rendered. Throws when that cannot be done. */
  fieldsAt(offset: number): MessageFields {
    return this.#text.fieldsAt(offset);
  }

  /** Whom a message goes to, if that can be seen at a glance: see `ChunkText`. */
  recipientAtGlance(offset: number): string | undefined {
    return this.#text.recipientAtGlance(offset);
  }

  /** A message's payload as it was given, if that can be seen at a glance: see `ChunkText`. */
  payloadAtGlance(offset: number): string | undefined {
    return this.#text.payloadAtGlance(offset);
  }

  /** Whom its messages go to, by offset. */
  recipients(): (string | undefined)[] {
    return this.#text.recipients();
  }

  /** Its recipients were looked up. */
  noteChecked(atMs: number, suppressed: ReadonlySet<number> | undefined): void {
    this.checkedAtMs = atMs;
    this.suppressed = suppressed;
  }

  /** A message that was taken was not sent, and is not going to be from here. */
  giveBack(offset: number): void {
    this.inFlight--;
    this.#taken[offset] = 0;
  }

  /**
   * A message that was taken waits, for a window with this fingerprint to open or for its endpoint. Nothing has happened to it: nothing is
   * recorded of that.
   */
  putOff(offset: number, { untilMs, putOffBy }: { untilMs: number; putOffBy?: number }): void {
    this.giveBack(offset);
    this.#queue.putOff(offset, untilMs);
    this.lingers = true;
    if (putOffBy !== undefined) this.putOffBy = putOffBy;
  }

  /** All that were put off can be taken again, and are judged anew; the answer is how many. */
  returnPutOff(): number {
    const returned = this.#queue.returnPutOff();
    this.putOffBy = null;
    this.ready += returned;
    return returned;
  }

  /** A message that was taken waits for room at its destination, which `match` names. */
  putAside(offset: number, match: string): void {
    this.giveBack(offset);
    this.aside.add(offset, match);
  }

  /** There is room for it: it is in flight again. */
  takeAside(offset: number): void {
    this.aside.delete(offset);
    this.inFlight++;
    this.#taken[offset] = 1;
  }

  /** All that were put aside can be taken again, in their order; the answer is how many. */
  returnAside(): number {
    const offsets = this.aside.clear();
    this.#queue.push(...offsets.reverse());
    this.ready += offsets.length;
    return offsets.length;
  }

  /** A message that was taken is about to leave; this is recorded before it does. */
  mark(offset: number, attempt: number, atMs: number): void {
    this.#note(offset, { state: stateNumber.sending, attempt, atMs });
  }

  /**
   * What became of a message that was taken. One that was canceled on its way is not tried again; the answer
   * is the outcome that stands.
   */
  record(offset: number, outcome: MessageOutcome): MessageOutcome {
    const canceled = this.#taken[offset] === 2 && outcome.state === stateNumber.retrying;
    this.giveBack(offset);
    const stands = canceled ? canceledAt(outcome.attempt, outcome.atMs) : outcome;
    this.#note(offset, stands);
    return stands;
  }

  /** Nothing of it is sent from now on. The answer is how many messages could have been sent. */
  park(): number {
    const lost = this.ready;
    this.parked = true;
    this.ready = 0;
    this.aside.clear();
    return lost;
  }

  /**
   * Applies what was decided on some of its messages. `recorded` outcomes came of it; `ready` messages more (or
   * fewer) can be sent; `open` says that some of those meant are in flight, so that it is to be asked again.
   */
  decide(
    decision: Exclude<Decision, ReceiptDecision>,
    at: { nowMs: number; databaseNowMs: number },
  ): Decided {
    if (decision.kind === 'cancel') return this.#cancel(decision.offsets, at.nowMs);
    if (decision.kind === 'erase') return this.#erase(decision.offsets, at.nowMs);
    this.#outcomes.seal();
    const { chunk } = this;
    const decided = { recorded: 0, ready: 0, open: false };
    eachOffset(decision.offsets, chunk.count, (offset) => {
      const state = this.#history.stateAt(offset);
      if (decision.kind === 'resolve') {
        if (state !== stateNumber.uncertain) return;
        this.#note(offset, {
          ...decision.outcome,
          attempt: this.#history.attemptsAt(offset),
          atMs: at.nowMs,
        });
      } else {
        if (!decision.states.includes(state) || !this.#history.failedWith(offset, decision.errorCode)) return;
        if (this.#replay(offset, at)) decided.ready++;
      }
      decided.recorded++;
    });
    this.#outcomes.seal();
    if (this.parked) decided.ready = 0;
    else this.ready += decided.ready;
    return decided;
  }

  /** Applies what a provider told later of some of its messages. */
  takeReceipts(receipts: ReceiptDecision): ReceiptsTaken {
    return applyReceipts(receipts, {
      count: this.chunk.count,
      history: this.#history,
      outcomes: this.#outcomes,
      note: (offset, outcome) => this.#note(offset, outcome),
    });
  }

  /** What providers said of them goes with the outcomes that are recorded next, whenever it was recorded. */
  #erase(offsets: Bitmap | null, nowMs: number): Decided {
    eachOffset(offsets, this.chunk.count, (offset) => this.#text.erase(offset));
    return this.#cancel(offsets, nowMs, erasedError);
  }

  #cancel(offsets: Bitmap | null, nowMs: number, error?: MessageOutcome['error']): Decided {
    const decided = { recorded: 0, ready: 0, open: false };
    let waiting: Set<number> | undefined;
    const canceled = new Set<number>();
    eachOffset(offsets, this.chunk.count, (offset) => {
      if (isFinal(this.#history.stateAt(offset))) return;
      if (this.#taken[offset]! > 0) {
        this.#taken[offset] = 2;
        decided.open = true;
        return;
      }
      canceled.add(offset);
      waiting ??= new Set(this.#queue.waiting.offsets());
      const waits = waiting.has(offset) || this.keyed?.release(offset) || this.aside.delete(offset);
      if (!waits && !this.parked) decided.ready--;
    });
    if (canceled.size === 0) return decided;
    this.#queue.withdraw(canceled);
    for (const offset of canceled) {
      this.#note(offset, { ...canceledAt(this.#history.attemptsAt(offset), nowMs), ...(error && { error }) });
    }
    this.ready += decided.ready;
    decided.recorded = canceled.size;
    return decided;
  }

  /** False for a message that has to wait for its schedule first. */
  #replay(offset: number, at: { nowMs: number; databaseNowMs: number }): boolean {
    this.#history.noteReplay(offset, at.databaseNowMs);
    this.keyed?.noteReplay(offset);
    const attempt = this.#history.attemptsAt(offset);
    this.#note(offset, { state: stateNumber.queued, attempt, atMs: at.nowMs });
    const waitMs = (this.times?.scheduledAtMs(offset) ?? 0) - at.databaseNowMs;
    if (waitMs > 0) this.#queue.waiting.add(offset, at.nowMs + waitMs);
    else this.#queue.push(offset);
    return waitMs <= 0;
  }

  #note(offset: number, outcome: MessageOutcome): void {
    const before = this.#history.before(offset, this.#text.tagsAt(offset));
    const dueAtMs = this.#outcomes.note({ offset, outcome, before });
    this.#history.note(offset, outcome);
    if (dueAtMs !== null) this.#queue.waiting.add(offset, dueAtMs);
    if (this.keyed && isFinal(outcome.state) && this.keyed.settle(offset)) this.urgent = true;
  }

  /** What happened since the last call, in an order that keeps a message's own outcomes in theirs. */
  takeGroups(): OutcomeGroup[] {
    return this.#outcomes.take();
  }

  /** Messages that were erased since the last call. */
  takeErased(): number[] {
    return this.#text.takeErased();
  }

  /** Makes messages sendable whose time has come, and says how many. Retries that are not admitted wait on. */
  wake(nowMs: number, retries: RetryGate): number {
    this.wakeAtMs = Number.POSITIVE_INFINITY;
    if (this.parked) return 0;
    const due = this.#queue.waiting.takeDue(nowMs);
    const tried = due.filter((offset) => this.#history.attemptsAt(offset) > 0);
    const refused = new Set(tried.length === 0 ? [] : tried.slice(retries.admitRetries(tried.length)));
    if (refused.size > 0) {
      const againAtMs = retries.retriesAgainAtMs();
      for (const offset of refused) this.#queue.waiting.add(offset, againAtMs);
    }
    this.#queue.push(...(refused.size === 0 ? due : due.filter((offset) => !refused.has(offset))));
    const woken = due.length - refused.size;
    this.ready += woken;
    return woken;
  }

  /** Lets a message go that waited for another one. True if it can be sent at once. */
  release(offset: number, nowMs: number): boolean {
    if (!this.keyed?.release(offset)) return false;
    const atMs = this.#dueAtMs(offset);
    if (atMs > nowMs || this.#history.isRetry(offset)) {
      this.#queue.waiting.add(offset, Math.max(atMs, nowMs));
      return false;
    }
    this.#queue.push(offset);
    this.ready++;
    return true;
  }

  /** When the first of those that wait is due, or Infinity. */
  get nextDueAtMs(): number {
    return this.#queue.waiting.nextDueAtMs;
  }

  /** Messages that are not due yet, or whose retry is not. */
  get waitingMessages(): number {
    return this.#queue.waiting.count;
  }

  /** The messages that wait. */
  waitingOffsets(): number[] {
    return this.#queue.waiting.offsets();
  }

  /** Lets go of the messages' text, which may be large; outcomes can still be taken. */
  dropText(): void {
    this.#text.drop();
  }
}
