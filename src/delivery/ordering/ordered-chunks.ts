import type { Clock } from '../../lib/clock.ts';
import { limits } from '../../message/limits.ts';
import { decodeOrdering } from '../../message/ordering.ts';
import type { OrderedRow } from '../../store/delivery/read-pending.ts';
import type { Backlog, FoundRow } from '../backlog/backlog.ts';
import type { PendingChunk } from '../backlog/pending-chunk.ts';
import { mayLeaveMemory } from '../chunks/at-rest.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import type { HeldAs } from '../decisions/held-batches.ts';
import type { OrderedStore } from '../delivery-store.ts';
import type { Tenure } from '../ownership/tenure.ts';
import { type FreedMessage, KeySequence } from './key-sequence.ts';

export interface OrderedChunksSettings {
  store: OrderedStore;
  clock: Clock;
  backlog: Backlog;
  tenures: () => ReadonlyMap<number, Tenure>;
  heldAs: (batch: string) => HeldAs | undefined;
  onCanceled: (chunk: PendingChunk) => void;
  /** A read was too old to be believed of some chunk: what is pending is to be read again. */
  onMissed: () => void;
  /** A message of a loaded chunk can be sent. */
  onReady: (work: ChunkWork) => void;
  /** A loaded chunk came to rest while others were recorded. */
  onIdle: (work: ChunkWork) => void;
  onError: (error: unknown) => void;
}

/** Chunks of one read. */
const pageRows = 64;

/**
 * Lets messages with ordering keys go in their order: one may leave when all earlier ones of its key have a final state
 * that is recorded, whichever batch, route or priority they are of.
 *
 * Who waits for whom is known without the messages, from the rows of `pending`: they are read in the order of their
 * places, so a chunk is never known before one that precedes it. Hints and other reads only say that there is something
 * to read.
 */
export class OrderedChunks {
  readonly #settings: OrderedChunksSettings;
  #running = false;
  #again = false;
  #totalWeight = 0;

  constructor(settings: OrderedChunksSettings) {
    this.#settings = settings;
  }

  /** A chunk is there, of which a hint tells, or a row. */
  note(tenure: Tenure, { accountId, found }: { accountId: number; found?: FoundRow }): void {
    if (tenure.state !== 'held') return;
    const row = found?.row;
    const chunk = row && tenure.chunks.get(row.chunkId);
    if (chunk !== undefined) {
      this.#refresh(chunk, found!);
      return;
    }
    const sequence = this.#sequenceOf(tenure, accountId);
    if (row !== undefined && row.ordered! <= sequence.readUpTo) return;
    if (row?.batch && !tenure.left.has(row.chunkId) && this.#settings.heldAs(row.batch) === 'canceled') {
      // It may be long until its turn comes to be read.
      const key = { ...row, ordered: true, awaitsClosing: row.dueInMs === Number.POSITIVE_INFINITY };
      this.#settings.onCanceled(this.#settings.backlog.adopt(tenure, key));
    }
    sequence.unread = true;
    this.#runSoon(sequence);
  }

  /** Reads what there is room for. */
  async runOnce(): Promise<void> {
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = true;
    try {
      do {
        this.#again = false;
        this.#weighAll();
        for (const tenure of this.#settings.tenures().values()) {
          for (const sequence of tenure.sequences.values()) await this.#read(tenure, sequence);
        }
      } while (this.#again);
    } finally {
      this.#running = false;
    }
  }

  /** A chunk has been loaded: what became of its messages before is known only now. */
  noteLoaded(work: ChunkWork): void {
    const { order } = work.chunk;
    if (order === undefined || work.keyed === undefined) return;
    order.stirred = false;
    for (const freed of order.sequence.settle(order, work.keyed.settledBefore)) {
      // What of this chunk can be sent is counted when all is known.
      if (freed.order === order) work.release(freed.offset, this.#settings.clock.monotonicMs());
      else this.#free(freed);
    }
  }

  /** It is recorded that these messages came to their end: those that waited for them may go. */
  noteRecorded(work: ChunkWork, offsets: readonly number[]): void {
    const { order, tenure } = work.chunk;
    if (order === undefined || tenure.state === 'ended') return;
    const freed = order.sequence.settle(order, offsets);
    work.keyed?.noteRecorded(offsets);
    for (const message of freed) this.#free(message);
    if (!work.closed && !work.dirty && mayLeaveMemory(work, this.#settings.clock.monotonicMs())) {
      this.#settings.onIdle(work);
    }
  }

  /** All that remains of a chunk waits, for others or for its time. */
  wait(chunk: PendingChunk): void {
    const order = chunk.order!;
    if (order.free === 0) chunk.dueAtMs = Number.POSITIVE_INFINITY;
    else if (order.stirred) chunk.dueAtMs = this.#settings.clock.monotonicMs();
    this.#consider(chunk);
    this.#runSoon(order.sequence);
  }

  /** A chunk is done. */
  leave(chunk: PendingChunk): void {
    const order = chunk.order!;
    // Whatever was not told message by message.
    const all = Array.from({ length: chunk.count }, (_, offset) => offset);
    const freed = order.sequence.settle(order, all);
    order.sequence.remove(order);
    for (const message of freed) if (message.order !== order) this.#free(message);
    this.#runSoon(order.sequence);
  }

  #sequenceOf(tenure: Tenure, accountId: number): KeySequence {
    let sequence = tenure.sequences.get(accountId);
    if (sequence === undefined) {
      sequence = new KeySequence(accountId);
      tenure.sequences.set(accountId, sequence);
    }
    return sequence;
  }

  #runSoon(sequence: KeySequence): void {
    if (sequence.unread && this.#hasRoom(sequence)) this.runOnce().catch(this.#settings.onError);
  }

  #weighAll(): void {
    this.#totalWeight = 0;
    for (const { sequences } of this.#settings.tenures().values()) {
      for (const { weight } of sequences.values()) this.#totalWeight += weight;
    }
  }

  /**
   * It is read as far as there is room in memory, however much of it could be sent already: that may be for a route
   * which is slow or stopped, and what comes next for another one.
   */
  #hasRoom({ weight }: KeySequence): boolean {
    if (weight < limits.orderedWeightLeast) return true;
    return weight < limits.orderedWeightMax && this.#totalWeight < limits.orderedTotalMax;
  }

  async #read(tenure: Tenure, sequence: KeySequence): Promise<void> {
    const { shard } = tenure;
    const { accountId } = sequence;
    while (tenure.state === 'held' && sequence.unread && this.#hasRoom(sequence)) {
      // Told of from now on, it is read once more.
      sequence.unread = false;
      const beganAtMs = this.#settings.clock.monotonicMs();
      const read = { shard, accountId, after: sequence.readUpTo, limit: pageRows };
      const rows = await this.#settings.store.readOrderedPending(read).catch((error: unknown) => {
        sequence.unread = true;
        throw error;
      });
      if (tenure.state !== 'held') return;
      if (rows.length === pageRows) sequence.unread = true;
      for (const row of rows) {
        const weightBefore = sequence.weight;
        if (!this.#hasRoom(sequence) || !this.#take(tenure, { sequence, row, beganAtMs })) {
          sequence.unread = true;
          return;
        }
        this.#totalWeight += sequence.weight - weightBefore;
      }
    }
    if (sequence.empty && !sequence.unread) tenure.sequences.delete(accountId);
  }

  /**
   * False while something is being decided on the chunk by itself, and for a row of before that: those behind it have to
   * wait until it is read anew.
   */
  #take(
    tenure: Tenure,
    { sequence, row, beganAtMs }: { sequence: KeySequence; row: OrderedRow; beganAtMs: number },
  ): boolean {
    const forgottenAtMs = tenure.forgotten.get(row.chunkId) ?? Number.NEGATIVE_INFINITY;
    if (tenure.chunks.has(row.chunkId) || forgottenAtMs >= beganAtMs) return false;
    sequence.readUpTo = row.ordered;
    // It was canceled as a whole, or settled, since the row was read.
    if (tenure.left.has(row.chunkId)) return true;
    const { backlog, heldAs, onCanceled } = this.#settings;
    const chunk = backlog.admit(tenure, row);
    chunk.order = sequence.add(chunk, { keys: decodeOrdering(row.ordering), remaining: row.remaining });
    if (row.batch !== null && heldAs(row.batch) === 'canceled') onCanceled(chunk);
    else this.#consider(chunk);
    return true;
  }

  /** Its batch may have been released or resumed since, or its route have another window. */
  #refresh(chunk: PendingChunk, { row, beganAtMs, dueAnew }: FoundRow): void {
    if (chunk.place !== 'waiting' || (chunk.dueAtMs < Number.POSITIVE_INFINITY && !dueAnew)) return;
    if (chunk.voidSinceMs !== undefined && beganAtMs <= chunk.voidSinceMs) {
      // What is paused is read again when it is resumed.
      const { heldAs, onMissed } = this.#settings;
      if (chunk.batch === null || heldAs(chunk.batch) !== 'paused') onMissed();
      return;
    }
    chunk.awaitsClosing = row.dueInMs === Number.POSITIVE_INFINITY;
    chunk.dueAtMs = this.#settings.clock.monotonicMs() + row.dueInMs;
    this.#consider(chunk);
  }

  #free({ order, offset }: FreedMessage): void {
    const { chunk } = order;
    const { work } = chunk;
    const nowMs = this.#settings.clock.monotonicMs();
    if (work !== undefined && !work.closed && !work.parked) {
      if (work.release(offset, nowMs)) this.#settings.onReady(work);
      else this.#settings.backlog.wakeWork(work);
      return;
    }
    order.stirred = true;
    if (chunk.place !== 'waiting' || chunk.awaitsClosing) return;
    chunk.dueAtMs = nowMs;
    this.#consider(chunk);
  }

  /** Lets a chunk be loaded when some of its messages may go. */
  #consider(chunk: PendingChunk): void {
    const { backlog, clock, heldAs } = this.#settings;
    if (chunk.place !== 'waiting' || chunk.order!.free === 0) return;
    if (chunk.batch !== null && heldAs(chunk.batch) === 'paused') {
      chunk.dueAtMs = Number.POSITIVE_INFINITY;
    } else if (chunk.dueAtMs <= clock.monotonicMs()) {
      backlog.enqueue(chunk);
    } else if (chunk.dueAtMs < Number.POSITIVE_INFINITY) {
      backlog.wakeAt(chunk, chunk.dueAtMs);
    }
  }
}
