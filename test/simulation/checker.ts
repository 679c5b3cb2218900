import type { Answer } from '../../src/connectors/connector.ts';
import type { HeldAs } from '../../src/delivery/decisions/held-batches.ts';
import { inBitmap } from '../../src/message/bitmap.ts';
import { chunkIdOf, messageIds, shardOf } from '../../src/message/id.ts';
import { isFinal, stateName, stateNumber } from '../../src/message/state.ts';
import { batchCounts } from '../../src/store/batch-counts.ts';
import {
  acceptedCounter,
  type ModelDatabase,
  type Session,
  type StoredOutcome,
  type StoredRequest,
} from './model-database.ts';
import type { ModelServer } from './model-server.ts';
import { calm } from './weather.ts';

/** One time that a message left a worker. */
export interface Handover {
  readonly by: string;
  readonly epoch: number;
  readonly attempt: number;
  /** The provider has it. */
  taken: boolean;
  /** What the worker was told; undefined while it waits, and for ever when it died waiting. */
  answered: Answer['kind'] | undefined;
}

/** When a message may be sent, by the database's clock; infinite where nobody said. */
export interface SentTimes {
  readonly scheduledAtMs: number;
  readonly expiresAtMs: number;
}

export interface AcceptedChunk {
  chunkId: string;
  count: number;
  batch: string | null;
  routeId: number;
  hold: boolean;
  /** Its lane has more than it can send in the time of a simulation: it need not be done in the end. */
  endless: boolean;
  /** By offset. */
  times: readonly SentTimes[];
}

interface CheckedMessage {
  chunk: AcceptedChunk;
  offset: number;
  /** Since it was accepted, or last replayed. */
  handovers: Handover[];
  /** The last recorded state. */
  state: number;
  /** Requests for decisions on it that were committed, and what was made of them. */
  asked: Decisions;
  made: Decisions;
  /** It was sent because of a replay that is asked for and not recorded yet. */
  replaying: boolean;
}

interface Decisions {
  cancel: number;
  replay: number;
  resolve: number;
}

/** What is paused or canceled, and since when. */
interface Hold {
  as: HeldAs;
  sinceMs: number;
}

/** A promise of delivery that was not kept. */
export interface Violation {
  promise:
    | 'no message is lost'
    | 'no second owner writes'
    | 'no second owner sends'
    | 'nothing is sent again after its end was recorded'
    | 'nothing is sent again in the tenure that knows how it went'
    | 'a hold message is handed over once'
    | 'what is recorded as sent was taken'
    | 'an end stands'
    | 'counters are right'
    | 'no lane starves'
    | 'workers together stay within the limits of a route'
    | 'a worker that stops hands over'
    | 'a decision is acted on once'
    | 'a decision is acted on'
    | 'a hold takes effect within a second'
    | 'nothing leaves before its time'
    | 'nothing leaves when it has expired'
    | 'messages of a key leave in order';
  detail: string;
}

const replayable: number[] = [
  stateNumber.failed,
  stateNumber.expired,
  stateNumber.canceled,
  stateNumber.uncertain,
];

/** A pause or a cancellation takes effect in this time where nothing goes wrong. */
const holdMsMax = 1_000;
/** A worker knows the database's clock from its last beat, by its own clock, which may go wrong by a hundredth. */
const clockSlackMs = 100;
/** The primary that takes the place of another has another clock. */
const clockStepMsMax = 2_000;
/** The answer to a beat may be so late and still be believed: then the worker is behind the time. */
const beatLateMsMax = 2_000;

/** A turn of the ownership loop may still wait for an answer that was lost, and then for that to a release. */
const stopMsMax = 4_000;

/** Watches, from outside of every worker, what was accepted, asked for, handed over, taken and recorded. */
export class Checker {
  readonly #server: ModelServer;
  readonly #database: ModelDatabase;
  /** The present worker id of each process. */
  readonly #workerIds: ReadonlyMap<string, string>;
  readonly #messages = new Map<string, CheckedMessage>();
  readonly #byChunk = new Map<string, CheckedMessage[]>();
  readonly violations: Violation[] = [];
  readonly #batchHolds = new Map<string, Hold>();
  readonly #routeHolds = new Map<number, Hold>();
  /** Cancellations of each batch: all of its messages may be canceled by one. */
  readonly #batchCancels = new Map<string, number>();
  /** Since when nothing goes wrong any more, and what went wrong before has been made good. */
  #calmSinceMs = Number.POSITIVE_INFINITY;
  #open = 0;

  constructor(server: ModelServer, workerIds: ReadonlyMap<string, string>) {
    this.#server = server;
    this.#database = server.database;
    this.#workerIds = workerIds;
    this.#database.onCommit = (session) => this.#onCommit(session);
  }

  /** Nothing goes wrong from now on; what is under way may still be late, for so long. */
  calmAfter(ms: number): void {
    this.#calmSinceMs = this.#server.scheduler.nowMs + ms;
  }

  /** Messages that an operator may want to decide on: those in one of these states, of lanes that end. */
  inStates(states: readonly number[]): { id: string; chunk: AcceptedChunk }[] {
    const found: { id: string; chunk: AcceptedChunk }[] = [];
    for (const [id, { chunk, state }] of this.#messages) {
      if (!chunk.endless && states.includes(state)) found.push({ id, chunk });
    }
    return found;
  }

  holdRoute(routeId: number, as: HeldAs | undefined): void {
    this.#hold(this.#routeHolds, routeId, as);
  }

  /** Messages that must come to their end and have not. */
  get open(): number {
    return this.#open;
  }

  get accepted(): number {
    return this.#messages.size;
  }

  onAccepted(chunk: AcceptedChunk): void {
    const messages = messageIds(chunk.chunkId, chunk.count).map((id, offset) => {
      const message: CheckedMessage = {
        ...{ chunk, offset, handovers: [], state: stateNumber.queued },
        ...{ asked: noDecisions(), made: noDecisions(), replaying: false },
      };
      this.#messages.set(id, message);
      return message;
    });
    this.#byChunk.set(chunk.chunkId, messages);
    if (!chunk.endless) this.#open += chunk.count;
  }

  onSend(by: string, { id, attempt }: { id: string; attempt: number }): Handover {
    const message = this.#messages.get(id);
    if (message === undefined) throw new Error(`${id} was sent and never accepted`);
    const owner = this.#database.owners[shardOf(id)]!;
    if (owner.worker !== this.#workerIds.get(by)) {
      this.#fail('no second owner sends', `${by} sends ${id}, whose shard is ${owner.worker}'s`);
    }
    // What was asked for is durable; that it was done is recorded with what came of it.
    const replays = mayReplay(message) && message.asked.replay > message.made.replay;
    if (replays && !message.replaying) {
      message.replaying = true;
      message.handovers = [];
    }
    if (isFinal(message.state) && !replays) {
      const end = stateName(message.state);
      this.#fail('nothing is sent again after its end was recorded', `${by} sends ${id}, which is ${end}`);
    }
    this.#checkTimes(by, id, message);
    this.#checkHolds(by, id, message.chunk);
    for (const earlier of message.handovers) this.#compare(earlier, { by, id, message, epoch: owner.epoch });
    const handover: Handover = { by, epoch: owner.epoch, attempt, taken: false, answered: undefined };
    message.handovers.push(handover);
    return handover;
  }

  /** After a quiet time, in which everything could be done. */
  onEnd(): void {
    for (const { id, kind, chunkId } of this.#database.inbox.values()) {
      this.#fail('a decision is acted on', `${id}, to ${kind} some of ${chunkId}, is still in the inbox`);
    }
    for (const [id, message] of this.#messages) this.#checkMessage(id, message);
    for (const batch of this.#database.batches.values()) this.#checkBatch(batch.id);
  }

  /** These processes were told to stop, nothing went wrong meanwhile, and it took them so long. */
  onStopped(names: readonly string[], tookMs: number): void {
    if (tookMs > stopMsMax)
      this.#fail('a worker that stops hands over', `that took ${Math.round(tookMs)} ms`);
    for (const name of names) {
      // A registration may be committed after its worker has stopped; without shards it only runs out.
      const id = this.#workerIds.get(name)!;
      const shards = this.#database.owners.filter(({ worker }) => worker === id).length;
      if (shards === 0 || !this.#database.workers.has(id)) continue;
      this.#fail('a worker that stops hands over', `${name} has a lease, and ${shards} shards`);
    }
  }

  onExceeded(detail: string): void {
    this.#fail('workers together stay within the limits of a route', detail);
  }

  onDisorder(detail: string): void {
    this.#fail('messages of a key leave in order', detail);
  }

  #compare(earlier: Handover, now: { by: string; id: string; message: CheckedMessage; epoch: number }): void {
    const { by, id, message, epoch } = now;
    const refused = earlier.answered === 'retry' || earlier.answered === 'rejected';
    if (earlier.by === by && earlier.epoch === epoch) {
      const mayAgain = earlier.answered === 'retry' || earlier.answered === 'uncertain';
      const was = earlier.answered ?? 'under way';
      if (!mayAgain) {
        this.#fail(
          'nothing is sent again in the tenure that knows how it went',
          `${by} sends ${id}, which was ${was}`,
        );
      }
    }
    if (message.chunk.hold && (earlier.taken || !refused)) {
      const was = earlier.answered ?? 'never answered';
      this.#fail('a hold message is handed over once', `${by} sends ${id} again; ${earlier.by}'s was ${was}`);
    }
  }

  #checkTimes(by: string, id: string, { chunk, offset }: CheckedMessage): void {
    const { scheduledAtMs, expiresAtMs } = chunk.times[offset]!;
    const { nowMs, weather, crashes, scheduler } = this.#server;
    const slackMs = clockSlackMs + (crashes > 0 ? clockStepMsMax : 0);
    if (nowMs < scheduledAtMs - slackMs) {
      const detail = `${by} sends ${id} ${Math.round(scheduledAtMs - nowMs)} ms too early`;
      this.#fail('nothing leaves before its time', detail);
    }
    const isCalm = weather === calm && scheduler.nowMs > this.#calmSinceMs;
    if (nowMs > expiresAtMs + slackMs + (isCalm ? 0 : beatLateMsMax)) {
      const detail = `${by} sends ${id} ${Math.round(nowMs - expiresAtMs)} ms after it expired`;
      this.#fail('nothing leaves when it has expired', detail);
    }
  }

  #checkHolds(by: string, id: string, { batch, routeId }: AcceptedChunk): void {
    const { nowMs } = this.#server.scheduler;
    const holds = [this.#routeHolds.get(routeId), batch === null ? undefined : this.#batchHolds.get(batch)];
    for (const hold of holds) {
      if (hold === undefined || nowMs < Math.max(hold.sinceMs, this.#calmSinceMs) + holdMsMax) continue;
      const detail = `${by} sends ${id}, which is ${hold.as} since ${Math.round(nowMs - hold.sinceMs)} ms`;
      this.#fail('a hold takes effect within a second', detail);
    }
  }

  #onCommit(session: Session): void {
    for (const { outcome, request, hold } of session.writes) {
      if (request !== undefined) this.#onRequest(request);
      if (hold !== undefined) this.#onHold(hold);
      if (outcome === undefined) continue;
      const owner = this.#database.owners[outcome.shard]!;
      if (owner.epoch !== outcome.epoch) {
        const detail = `${session.name} writes shard ${outcome.shard} in epoch ${outcome.epoch}; it is ${owner.epoch}`;
        this.#fail('no second owner writes', detail);
      }
      this.#note(session, outcome);
    }
  }

  #onRequest({ kind, chunkId, offsets }: StoredRequest): void {
    if (kind === 'erase') return;
    for (const message of this.#byChunk.get(chunkId) ?? []) {
      if (inBitmap(offsets, message.offset)) message.asked[kind]++;
    }
  }

  #onHold({ batch, as }: { batch: string; as: HeldAs | undefined }): void {
    if (as === 'canceled' && this.#batchHolds.get(batch)?.as !== as) {
      this.#batchCancels.set(batch, (this.#batchCancels.get(batch) ?? 0) + 1);
    }
    this.#hold(this.#batchHolds, batch, as);
  }

  #hold<Key>(holds: Map<Key, Hold>, key: Key, as: HeldAs | undefined): void {
    if (as === undefined) holds.delete(key);
    else if (holds.get(key)?.as !== as) holds.set(key, { as, sinceMs: this.#server.scheduler.nowMs });
  }

  #note(session: Session, outcome: StoredOutcome): void {
    for (const message of this.#byChunk.get(outcome.chunkId) ?? []) {
      if (!inBitmap(outcome.offsets, message.offset)) continue;
      const { chunk, offset } = message;
      const [was, is] = [message.state, outcome.state];
      const which = `${offset} of ${outcome.chunkId}`;
      const decision = decisionOf(was, is);
      if (decision !== undefined) this.#checkDecision(session, { message, decision, outcome });
      else if (isFinal(was)) {
        const detail = `${session.name} makes ${which} ${stateName(is)}, which was ${stateName(was)}`;
        this.#fail('an end stands', detail);
      }
      if (!chunk.endless) this.#open += Number(isFinal(was)) - Number(isFinal(is));
      message.state = is;
      if (is === stateNumber.expired && chunk.times[offset]!.expiresAtMs === Number.POSITIVE_INFINITY) {
        this.#fail('an end stands', `${session.name} lets ${which} expire, which has no time for that`);
      }
      const taken = decision === 'resolve' || message.handovers.some((handover) => handover.taken);
      if (is === stateNumber.sent && !taken) {
        this.#fail('what is recorded as sent was taken', `${session.name} says so of ${which}`);
      }
    }
  }

  /** No more of them than were asked for: a canceled batch is one for each of its messages, until it is so no more. */
  #checkDecision(
    session: Session,
    of: { message: CheckedMessage; decision: keyof Decisions; outcome: StoredOutcome },
  ): void {
    const { message, decision, outcome } = of;
    const { batch, chunkId } = message.chunk;
    const made = ++message.made[decision];
    let asked = message.asked[decision];
    if (decision === 'cancel' && batch !== null) {
      if (this.#batchHolds.get(batch)?.as === 'canceled') return;
      asked += this.#batchCancels.get(batch) ?? 0;
    }
    if (made > asked) {
      const detail = `${session.name} does "${decision}" to ${message.offset} of ${chunkId} ${made} times, of ${asked}`;
      this.#fail('a decision is acted on once', detail);
    }
    if (decision !== 'replay') return;
    // What it was replayed after may be recorded with it, when it has left again.
    if (!message.replaying)
      message.handovers = message.handovers.filter((each) => each.attempt > outcome.attempt);
    message.replaying = false;
  }

  #checkMessage(id: string, { chunk, offset, state }: CheckedMessage): void {
    if (isFinal(state)) return;
    const pending = this.#database.pending.get(chunkIdOf(id));
    if (pending === undefined || !inBitmap(pending.remaining, offset)) {
      this.#fail('no message is lost', `${id} is ${stateName(state)} and not pending`);
    } else if (!chunk.endless) {
      this.#fail('no lane starves', `${id} is still ${stateName(state)}`);
    }
  }

  #checkBatch(batch: string): void {
    const counted = this.#database.progress.get(batch) ?? new Map<number, number>();
    const states = new Map<number, number>();
    let accepted = 0;
    for (const [chunkId, messages] of this.#byChunk) {
      if (messages[0]!.chunk.batch !== batch) continue;
      accepted += messages.length;
      for (const { state } of messages) states.set(state, (states.get(state) ?? 0) + 1);
      const done = messages.every(({ state }) => isFinal(state));
      if (done && this.#database.pending.has(chunkId)) {
        this.#fail('counters are right', `${chunkId} is done and still pending`);
      }
    }
    states.delete(stateNumber.queued);
    states.set(acceptedCounter, accepted);
    const told = JSON.stringify(this.#database.batches.get(batch)!.doneCounts);
    const counts = JSON.stringify(batchCounts(Object.fromEntries(states)));
    if (told !== counts) this.#fail('counters are right', `${batch} is done with ${told}: it has ${counts}`);
    for (const state of new Set([...states.keys(), ...counted.keys()])) {
      const [told, is] = [counted.get(state) ?? 0, states.get(state) ?? 0];
      if (told !== is)
        this.#fail('counters are right', `${batch} counts ${told} in state ${state}: there are ${is}`);
    }
  }

  #fail(promise: Violation['promise'], detail: string): void {
    this.violations.push({ promise, detail });
  }
}

function noDecisions(): Decisions {
  return { cancel: 0, replay: 0, resolve: 0 };
}

/** Which decision only can have made the second state of the first one; undefined where it takes none. */
function decisionOf(was: number, is: number): keyof Decisions | undefined {
  if (is === stateNumber.canceled) return isFinal(was) ? undefined : 'cancel';
  if (is === stateNumber.queued && isReplayable(was)) return 'replay';
  const { failed, uncertain, sent } = stateNumber;
  return was === uncertain && (is === sent || is === failed) ? 'resolve' : undefined;
}

/** It has an end that can be taken back: it is recorded, or the worker was told of it a moment ago. */
function mayReplay({ state, chunk, handovers }: CheckedMessage): boolean {
  const told = handovers.at(-1)?.answered;
  return isReplayable(state) || told === 'rejected' || (chunk.hold && told === 'uncertain');
}

function isReplayable(state: number): boolean {
  return replayable.includes(state);
}
