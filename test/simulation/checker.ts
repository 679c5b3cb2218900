import type { Answer } from '../../src/connectors/connector.ts';
import { inBitmap } from '../../src/message/bitmap.ts';
import { chunkIdOf, messageIds, shardOf } from '../../src/message/id.ts';
import { isFinal, stateName, stateNumber } from '../../src/message/state.ts';
import { acceptedCounter, type ModelDatabase, type Session, type StoredOutcome } from './model-database.ts';

/** One time that a message left a worker. */
export interface Handover {
  readonly by: string;
  readonly epoch: number;
  /** The provider has it. */
  taken: boolean;
  /** What the worker was told; undefined while it waits, and for ever when it died waiting. */
  answered: Answer['kind'] | undefined;
}

export interface AcceptedChunk {
  chunkId: string;
  count: number;
  batch: string | null;
  hold: boolean;
  /** Its lane has more than it can send in the time of a simulation: it need not be done in the end. */
  endless: boolean;
}

interface CheckedMessage {
  chunk: AcceptedChunk;
  offset: number;
  handovers: Handover[];
  /** The last recorded state. */
  state: number;
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
    | 'a worker that stops hands over';
  detail: string;
}

/** A turn of the ownership loop may still wait for an answer that was lost, and then for that to a release. */
const stopMsMax = 4_000;

/** Watches, from outside of every worker, what was accepted, handed over, taken and recorded. */
export class Checker {
  readonly #database: ModelDatabase;
  /** The present worker id of each process. */
  readonly #workerIds: ReadonlyMap<string, string>;
  readonly #messages = new Map<string, CheckedMessage>();
  readonly #byChunk = new Map<string, CheckedMessage[]>();
  readonly violations: Violation[] = [];
  #open = 0;

  constructor(database: ModelDatabase, workerIds: ReadonlyMap<string, string>) {
    this.#database = database;
    this.#workerIds = workerIds;
    database.onCommit = (session) => this.#onCommit(session);
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
      const message: CheckedMessage = { chunk, offset, handovers: [], state: stateNumber.queued };
      this.#messages.set(id, message);
      return message;
    });
    this.#byChunk.set(chunk.chunkId, messages);
    if (!chunk.endless) this.#open += chunk.count;
  }

  onSend(by: string, id: string): Handover {
    const message = this.#messages.get(id);
    if (message === undefined) throw new Error(`${id} was sent and never accepted`);
    const owner = this.#database.owners[shardOf(id)]!;
    if (owner.worker !== this.#workerIds.get(by)) {
      this.#fail('no second owner sends', `${by} sends ${id}, whose shard is ${owner.worker}'s`);
    }
    if (isFinal(message.state)) {
      const end = stateName(message.state);
      this.#fail('nothing is sent again after its end was recorded', `${by} sends ${id}, which is ${end}`);
    }
    for (const earlier of message.handovers) this.#compare(earlier, { by, id, message, epoch: owner.epoch });
    const handover: Handover = { by, epoch: owner.epoch, taken: false, answered: undefined };
    message.handovers.push(handover);
    return handover;
  }

  /** After a quiet time, in which everything could be done. */
  onEnd(): void {
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

  #onCommit(session: Session): void {
    for (const { outcome } of session.writes) {
      if (outcome === undefined) continue;
      const owner = this.#database.owners[outcome.shard]!;
      if (owner.epoch !== outcome.epoch) {
        const detail = `${session.name} writes shard ${outcome.shard} in epoch ${outcome.epoch}; it is ${owner.epoch}`;
        this.#fail('no second owner writes', detail);
      }
      this.#note(session, outcome);
    }
  }

  #note(session: Session, outcome: StoredOutcome): void {
    for (const message of this.#byChunk.get(outcome.chunkId) ?? []) {
      if (!inBitmap(outcome.offsets, message.offset)) continue;
      const which = `${message.offset} of ${outcome.chunkId}`;
      if (isFinal(message.state)) {
        const detail = `${session.name} makes ${which} ${stateName(outcome.state)}, which was ${stateName(message.state)}`;
        this.#fail('an end stands', detail);
      } else if (isFinal(outcome.state) && !message.chunk.endless) this.#open--;
      message.state = outcome.state;
      if (outcome.state === stateNumber.sent && !message.handovers.some(({ taken }) => taken)) {
        this.#fail('what is recorded as sent was taken', `${session.name} says so of ${which}`);
      }
    }
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
