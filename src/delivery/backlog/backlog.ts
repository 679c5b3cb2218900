import type { Clock } from '../../lib/clock.ts';
import { MinHeap } from '../../lib/min-heap.ts';
import type { ChunkKeyRow } from '../../store/delivery/load-chunks.ts';
import type { PendingRow } from '../../store/delivery/read-pending.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import type { HeldAs } from '../decisions/held-batches.ts';
import type { Tenure } from '../ownership/tenure.ts';
import type { RetryGate } from '../pace/retry-budget.ts';
import { type Hint, hintAgeMsMax } from './hint.ts';
import { Lane, type LaneKey, laneKeysMax, laneName } from './lane.ts';
import { isKnown, type PendingChunk } from './pending-chunk.ts';

export interface BacklogSettings {
  clock: Clock;
  tenures: () => ReadonlyMap<number, Tenure>;
  weightOf: (accountId: number) => number;
  /** A lane has another key to load, or another message to send. */
  onDue: (lane: Lane) => void;
  /** A chunk of a paused batch is left where it is, one of a canceled batch is canceled. */
  heldAs: (batch: string) => HeldAs | undefined;
  onCanceled: (chunk: PendingChunk) => void;
  /** It was put off by a window that its route does not have any more. */
  isDueAnew: (row: { routeId: number; putOffBy: number | null }) => boolean;
  /** What takes in chunks of messages with ordering keys, and says when they may go. */
  ordered: () => Order;
  /** What lets the retries of a lane out. */
  retriesOf: (lane: Lane) => RetryGate;
  /** A read was too old to be believed of some chunk: what is pending is to be read again. */
  onMissed: () => void;
  /** The retries of a loaded chunk can be sent. */
  onWoken: (chunk: PendingChunk, messages: number) => void;
}

interface Order {
  /** A chunk is there; it is taken in by `admit`. */
  note(tenure: Tenure, key: { accountId: number; found?: FoundRow }): void;
  /** All that remains of it waits. */
  wait(chunk: PendingChunk): void;
  /** It is done. */
  leave(chunk: PendingChunk): void;
}

/** Keys that are due later are left to the database: everything is read again before then. */
export const keepDueWithinMs = 90_000;
/** How long a chunk that left memory is remembered at least; longer than a hint is honoured. */
export const leftForMs = 5_000;
/** Bytes of payloads that came with hints and wait for their turn; chunks beyond are read back. */
const storedBytesMax = 8 * 1_048_576;
/** A timer may not be set for longer. */
const timerMsMax = 60_000;

/** A read of pending keys that is on its way. */
export interface PendingRead {
  readonly beganAtMs: number;
}

/** What it found. */
export interface FoundRow extends PendingRead {
  row: PendingRow;
  /** It is due because its route has another window now. */
  dueAnew: boolean;
}

/**
 * The unfinished chunks that this worker knows of, by lane and by time. What it knows is a cache of
 * `pending`, capped for each lane, never in total: a backlog of one lane must not hide the next customer.
 *
 * A chunk is taken in once: reads and hints overlap, and may be late. Those of before the tenure are not
 * believed, and chunks that left memory are remembered until no read that began before then can still bring them.
 */
export class Backlog {
  readonly #settings: BacklogSettings;
  readonly #lanes = new Map<string, Lane>();
  readonly #waiting = new MinHeap<PendingChunk>();
  readonly #reads = new Set<PendingRead>();
  #storedBytes = 0;
  #callOff: (() => void) | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor(settings: BacklogSettings) {
    this.#settings = settings;
  }

  get lanes(): IterableIterator<Lane> {
    return this.#lanes.values();
  }

  beginRead(): PendingRead {
    const read = { beganAtMs: this.#settings.clock.monotonicMs() };
    this.#reads.add(read);
    return read;
  }

  endRead(read: PendingRead): void {
    this.#reads.delete(read);
  }

  /** Takes in what a read found. */
  takeRow(found: PendingRow, read: PendingRead): void {
    const row = this.#byWindow(found);
    const tenure = this.#settings.tenures().get(row.shard);
    if (tenure === undefined || tenure.sinceMs > read.beganAtMs) return;
    if (row.ordered !== null) {
      this.#settings
        .ordered()
        .note(tenure, { accountId: row.accountId, found: { ...read, row, dueAnew: row !== found } });
      return;
    }
    const held = row.batch === null ? undefined : this.#settings.heldAs(row.batch);
    if (row.dueInMs > keepDueWithinMs && held !== 'canceled') return;
    // The row may have been changed since: a message that was replayed meanwhile would be missing in it for good.
    if ((tenure.forgotten.get(row.chunkId) ?? Number.NEGATIVE_INFINITY) >= read.beganAtMs) {
      if (held !== 'paused') this.#settings.onMissed();
      return;
    }
    this.#take(tenure, row, {
      remaining: row.remaining,
      dueAtMs: this.#settings.clock.monotonicMs() + row.dueInMs,
      fresh: false,
    });
  }

  /** Takes in what intake has just stored. */
  takeHint(hint: Hint): void {
    const tenure = this.#settings.tenures().get(hint.shard);
    const nowMs = this.#settings.clock.monotonicMs();
    if (tenure === undefined || tenure.sinceMs > hint.beganAtMs) return;
    if (nowMs - hint.beganAtMs >= hintAgeMsMax || tenure.forgotten.has(hint.chunkId)) return;
    if (hint.ordered) {
      this.#settings.ordered().note(tenure, { accountId: hint.accountId });
      return;
    }
    const { codec, payload, timed = false, templates = null } = hint;
    const keep = codec !== undefined && payload !== undefined && this.#storedBytes < storedBytesMax;
    const stored = keep ? { codec, payload, timed, templates } : undefined;
    if (!this.#take(tenure, hint, { remaining: null, dueAtMs: nowMs, fresh: true, stored })) return;
    this.#storedBytes += stored?.payload.length ?? 0;
  }

  /** Lets go of the payload that came with a hint: it is in use, or will not be used. */
  dropStored(chunk: PendingChunk): void {
    this.#storedBytes -= chunk.stored?.payload.length ?? 0;
    chunk.stored = undefined;
  }

  /** All that remains of a chunk waits until `dueAtMs`. */
  wait(chunk: PendingChunk, remaining: Uint8Array | null, dueAtMs: number): void {
    chunk.place = 'waiting';
    chunk.fresh = false;
    chunk.remaining = remaining;
    chunk.dueAtMs = dueAtMs;
    if (chunk.order) this.#settings.ordered().wait(chunk);
    else if (chunk.unread) this.forget(chunk);
    else if (dueAtMs - this.#settings.clock.monotonicMs() > keepDueWithinMs) this.leave(chunk);
    else this.wakeAt(chunk, dueAtMs);
  }

  /** What of a chunk that has just been loaded was due before. */
  wakeLoaded(work: ChunkWork): void {
    work.wake(this.#settings.clock.monotonicMs(), this.#settings.retriesOf(work.chunk.lane));
    this.wakeWork(work);
  }

  /**
   * Looks at a loaded chunk again when the first of its retries is due. One that is parked wakes nothing: what is due
   * stays due, and would be looked at without end.
   */
  wakeWork(work: ChunkWork): void {
    if (work.waitingMessages === 0 || work.closed || work.parked) return;
    const dueAtMs = work.nextDueAtMs;
    if (dueAtMs >= work.wakeAtMs) return;
    work.wakeAtMs = dueAtMs;
    this.wakeAt(work.chunk, dueAtMs);
  }

  /** The chunk is done, or nothing of it is due for long. */
  leave(chunk: PendingChunk): void {
    if (!chunk.tenure.chunks.delete(chunk.id)) return;
    chunk.tenure.left.set(chunk.id, this.#settings.clock.monotonicMs());
    chunk.lane.chunks--;
    this.dropStored(chunk);
    if (chunk.order === undefined) return;
    chunk.lane.ordered--;
    this.#settings.ordered().leave(chunk);
  }

  /** What is in memory of a chunk is void: it is found again by reading. Its place in an order it keeps. */
  forget(chunk: PendingChunk): void {
    if (!isKnown(chunk)) return;
    if (chunk.order) {
      chunk.place = 'waiting';
      chunk.dueAtMs = Number.POSITIVE_INFINITY;
      chunk.voidSinceMs = this.#settings.clock.monotonicMs();
      return;
    }
    const { forgotten } = chunk.tenure;
    chunk.tenure.chunks.delete(chunk.id);
    // Last in order, too, when it was forgotten before.
    forgotten.delete(chunk.id);
    forgotten.set(chunk.id, this.#settings.clock.monotonicMs());
    chunk.lane.chunks--;
    this.dropStored(chunk);
  }

  /** Takes in a chunk that may be pending no more, to be decided on. */
  adopt(tenure: Tenure, key: Omit<ChunkKeyRow, 'shard'>): PendingChunk {
    const { chunkId: id, batch, count, ordered: unread, awaitsClosing } = key;
    const lane = this.#laneOf(key);
    const chunk: PendingChunk = {
      ...{ id, tenure, lane, batch, count, place: 'deciding' },
      ...{ remaining: null, dueAtMs: 0, fresh: false, unread, awaitsClosing },
    };
    tenure.chunks.set(id, chunk);
    lane.chunks++;
    return chunk;
  }

  /** Takes in a chunk that has its place in an order; it waits until it is enqueued or woken. */
  admit(tenure: Tenure, found: PendingRow): PendingChunk {
    const row = this.#byWindow(found);
    const { chunkId: id, batch, count, remaining, dueInMs } = row;
    const lane = this.#laneOf(row);
    const dueAtMs = this.#settings.clock.monotonicMs() + dueInMs;
    const known = { id, tenure, lane, batch, count, remaining };
    const awaitsClosing = dueInMs === Number.POSITIVE_INFINITY;
    const chunk: PendingChunk = { ...known, place: 'waiting', dueAtMs, fresh: false, awaitsClosing };
    tenure.chunks.set(id, chunk);
    lane.chunks++;
    lane.ordered++;
    return chunk;
  }

  /** Its time has come. */
  enqueue(chunk: PendingChunk): void {
    chunk.lane.enqueue(chunk);
    this.#settings.onDue(chunk.lane);
  }

  wakeAt(chunk: PendingChunk, dueAtMs: number): void {
    this.#waiting.push(dueAtMs, chunk);
    this.#setTimer();
  }

  /** The tenures have ended. Lanes drop their keys when they come across them. */
  drop(tenures: readonly Tenure[]): void {
    for (const tenure of tenures) {
      for (const chunk of tenure.chunks.values()) {
        chunk.lane.chunks--;
        if (chunk.order) chunk.lane.ordered--;
        this.dropStored(chunk);
      }
      tenure.chunks.clear();
      tenure.left.clear();
      tenure.forgotten.clear();
      tenure.sequences.clear();
    }
  }

  /** Wakes what is due, and forgets what need not be remembered. */
  runOnce(): void {
    const nowMs = this.#settings.clock.monotonicMs();
    while (this.#waiting.minKey <= nowMs) this.#wake(this.#waiting.pop()!, nowMs);
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    this.#setTimer();
  }

  forgetLeft(): void {
    let untilMs = this.#settings.clock.monotonicMs() - leftForMs;
    for (const read of this.#reads) untilMs = Math.min(untilMs, read.beganAtMs);
    for (const tenure of this.#settings.tenures().values()) {
      // Oldest first.
      for (const remembered of [tenure.left, tenure.forgotten]) {
        for (const [id, atMs] of remembered) {
          if (atMs >= untilMs) break;
          remembered.delete(id);
        }
      }
    }
    for (const [key, lane] of this.#lanes) {
      const used = lane.chunks > 0 || lane.due > 0 || lane.overflown || lane.active || lane.wantsLoad;
      if (!used) this.#lanes.delete(key);
    }
  }

  /** Accounts may have other weights now. */
  refreshWeights(): void {
    for (const lane of this.#lanes.values()) lane.weight = this.#settings.weightOf(lane.key.accountId);
  }

  close(): void {
    this.#callOff?.();
  }

  /** False for a chunk that is known already, or that may not or cannot be taken in. */
  #take(
    tenure: Tenure,
    key: LaneKey & { chunkId: string; batch: string | null; count: number },
    chunk: Pick<PendingChunk, 'remaining' | 'dueAtMs' | 'fresh' | 'stored'>,
  ): boolean {
    const { chunkId, batch, count } = key;
    if (tenure.state !== 'held' || tenure.chunks.has(chunkId) || tenure.left.has(chunkId)) return false;
    const held = batch === null ? undefined : this.#settings.heldAs(batch);
    if (held === 'paused') return false;
    const lane = this.#laneOf(key);
    if (lane.unordered >= laneKeysMax) {
      lane.miss(chunkId);
      return false;
    }
    const taken: PendingChunk = { id: chunkId, tenure, lane, batch, count, place: 'waiting', ...chunk };
    tenure.chunks.set(chunkId, taken);
    lane.chunks++;
    if (held === 'canceled') {
      this.#settings.onCanceled(taken);
      return true;
    }
    if (taken.dueAtMs > this.#settings.clock.monotonicMs() || taken.remaining !== null) {
      this.wakeAt(taken, taken.dueAtMs);
    } else {
      this.enqueue(taken);
    }
    return true;
  }

  /** What waited for another window than the one that its route has now is due. */
  #byWindow(row: PendingRow): PendingRow {
    // That of a chunk in which messages wait for others says nothing of when those others are due.
    const waits = (row.dueInMs > 0 || row.ordered !== null) && row.dueInMs < Number.POSITIVE_INFINITY;
    return waits && this.#settings.isDueAnew(row) ? { ...row, dueInMs: 0 } : row;
  }

  #laneOf(key: LaneKey): Lane {
    const name = laneName(key);
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      const { accountId, routeId, priority } = key;
      lane = new Lane({ accountId, routeId, priority }, this.#settings.weightOf(accountId));
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  #wake(chunk: PendingChunk, nowMs: number): void {
    if (chunk.tenure.state !== 'held' || !isKnown(chunk)) return;
    const { work, lane } = chunk;
    const { retriesOf, onWoken } = this.#settings;
    if (work !== undefined && !work.closed) {
      const messages = work.wake(nowMs, retriesOf(lane));
      this.wakeWork(work);
      if (messages > 0) onWoken(chunk, messages);
    } else if (chunk.place === 'waiting' && chunk.dueAtMs <= nowMs) {
      // What remains of a chunk has been tried before; it is not even loaded before some of it may be tried again.
      if (chunk.remaining !== null) chunk.admitted = retriesOf(lane).admitRetries(1);
      if (chunk.remaining !== null && chunk.admitted === 0) {
        chunk.dueAtMs = retriesOf(lane).retriesAgainAtMs();
        this.wakeAt(chunk, chunk.dueAtMs);
        return;
      }
      this.enqueue(chunk);
    }
  }

  #setTimer(): void {
    const atMs = this.#waiting.minKey;
    if (atMs >= this.#timerAtMs) return;
    this.#callOff?.();
    this.#timerAtMs = atMs;
    const delayMs = Math.min(Math.max(atMs - this.#settings.clock.monotonicMs(), 1), timerMsMax);
    this.#callOff = this.#settings.clock.after(delayMs, () => this.runOnce());
  }
}
