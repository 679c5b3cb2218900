import { MinHeap } from '../../lib/min-heap.ts';
import type { Lane } from '../backlog/lane.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import type { Slice } from '../sending/slice.ts';
import type { Destination, DestinationShare } from './destination.ts';
import { type AsideMessage, DestinationQueue } from './destination-queue.ts';
import { DestinationTable } from './destination-table.ts';
import { type DestinationUse, takeDestinationUses } from './destination-use.ts';

/** A token that lacks the last bit of rounding is waited for no time at all: the same moment would come again for ever. */
const waitMsMin = 1;

export interface DestinationGateSettings {
  /** Whether a request of the lane may begin; one that may not is told by `laneFreed` when it may. */
  opens: (lane: Lane, nowMs: number) => boolean;
  /** The lane has a message for a destination that has room. */
  onRoom: (lane: Lane) => void;
}

/** What one lane has put aside. */
interface AsideOfLane {
  readonly queues: Map<Destination, DestinationQueue>;
  /** Those whose turn it is at a destination that has room. */
  readonly called: Set<DestinationQueue>;
}

/**
 * Limits of destinations on one route. A message that finds no room at its destination is put aside in memory, and
 * those behind it go on. As soon as a destination has room, it calls one of the lanes that wait for it, in the order in
 * which a route divides its own capacity; that lane takes its turn on the route, and what it put aside goes first.
 */
export class DestinationGate {
  readonly #settings: DestinationGateSettings;
  readonly #table: DestinationTable;
  readonly #lanes = new Map<Lane, AsideOfLane>();
  /** Lanes that had put too much aside to go on. */
  readonly #crowded = new Set<Lane>();
  readonly #timed = new MinHeap<Destination>();
  #batchMax = 1;
  #nowMs = 0;

  constructor(settings: DestinationGateSettings) {
    this.#settings = settings;
    this.#table = new DestinationTable({ isReady: (queue) => this.#isReady(queue) });
  }

  /** When a destination has to be looked at again, or Infinity. */
  get nextAtMs(): number {
    return this.#timed.minKey;
  }

  /** New limits hold at once. */
  change(limits: { shares: readonly DestinationShare[]; batchMax: number; nowMs: number }): void {
    const { shares, batchMax, nowMs } = limits;
    this.#nowMs = nowMs;
    this.#batchMax = batchMax;
    if (this.#table.change(shares, nowMs)) this.#returnAll();
    else for (const destination of this.#table.all()) this.#call(destination);
  }

  /** Calls lanes whose destinations have room by now, and those that have put less aside meanwhile. */
  wake(nowMs: number): void {
    this.#nowMs = nowMs;
    while (this.#timed.minKey <= nowMs) {
      const destination = this.#timed.pop()!;
      destination.wakeAtMs = Number.POSITIVE_INFINITY;
      this.#call(destination);
    }
    for (const lane of this.#crowded) {
      if (lane.isCrowded) continue;
      this.#crowded.delete(lane);
      this.#settings.onRoom(lane);
    }
  }

  /** Whether the lane may take its turn, with what it has loaded or with what it put aside. */
  isReady(lane: Lane, loaded: boolean): boolean {
    if (this.#isCalled(lane)) return true;
    if (lane.isCrowded) this.#crowded.add(lane);
    return loaded && !lane.isCrowded;
  }

  /** All that the lane could send waits for its destinations. */
  isStuck(lane: Lane): boolean {
    return lane.isCrowded && !this.#isCalled(lane);
  }

  /** The lane's account may not send for now: others are called in its place. */
  passOver(lane: Lane): void {
    for (const { destination } of [...(this.#lanes.get(lane)?.called ?? [])]) this.#call(destination);
  }

  /** The lane's account may send again. */
  laneFreed(lane: Lane, nowMs: number): void {
    this.#nowMs = nowMs;
    for (const queue of this.#lanes.get(lane)?.queues.values() ?? []) {
      queue.destination.order.add(queue);
      this.#call(queue.destination);
    }
  }

  /** The queue of the lane whose next message may leave in this request. */
  next(lane: Lane, slice: Slice): DestinationQueue | undefined {
    for (const queue of this.#lanes.get(lane)?.called ?? []) {
      const { destination } = queue;
      const carried = slice.destinations?.has(destination) ?? false;
      if (queue.peek() !== undefined && destination.hasRoom(this.#nowMs, { carried })) return queue;
      this.#endCall(queue);
    }
    return undefined;
  }

  /** The next message of a queue leaves in this request. */
  leave(queue: DestinationQueue, slice: Slice): void {
    const { destination } = queue;
    this.#carry(destination, slice);
    destination.order.charge(queue, 1);
    if (queue.peek() === undefined || queue.deficit <= 0) this.#endCall(queue);
  }

  /** Whether a message may leave in this request. One that may not is put aside. */
  admit(slice: Slice, message: AsideMessage & { to: string }): boolean {
    const destination = this.#table.find(message.to, this.#nowMs);
    if (destination === undefined) return true;
    if (this.#putAsideIfFull(slice, { message, destination })) return false;
    this.#carry(destination, slice);
    return true;
  }

  /** Puts a message aside that may not leave in this request. For one that may, nothing is done yet: `admit` is asked of it. */
  putAsideIfFull(slice: Slice, message: AsideMessage & { to: string }): boolean {
    const destination = this.#table.find(message.to, this.#nowMs);
    return destination !== undefined && this.#putAsideIfFull(slice, { message, destination });
  }

  /** What waits in the queue waits for the destination of this recipient. */
  isFor(queue: DestinationQueue, to: string): boolean {
    return this.#table.find(to, this.#nowMs) === queue.destination;
  }

  /** A request was answered, or did not leave after all. */
  end(slice: Slice, nowMs: number): void {
    this.#nowMs = nowMs;
    for (const destination of slice.destinations ?? []) {
      destination.inFlight--;
      this.#call(destination);
    }
  }

  /** Ends what comes first in each queue as long as `end` says that it came to its end. */
  endFirst(end: (message: AsideMessage) => boolean): void {
    for (const { queues } of this.#lanes.values()) {
      for (const queue of queues.values()) {
        for (let message = queue.peek(); message && end(message); message = queue.peek()) queue.shift();
      }
    }
  }

  /** Requests on their way by limit; of hosts that have it each for itself, those of the busiest. */
  inUse(): Map<string, number> {
    const inUse = new Map<string, number>();
    for (const { match, inFlight } of this.#table.all()) {
      if (inFlight > (inUse.get(match) ?? 0)) inUse.set(match, inFlight);
    }
    return inUse;
  }

  /** What was used since the last call, and what waits of lanes that `couldSend`. */
  takeUses(couldSend: (lane: Lane) => boolean): Map<string, DestinationUse> {
    return takeDestinationUses(this.#table.all(), this.#waiting(couldSend));
  }

  /** Messages of the lane that were put aside and whose turn it is where there is room by now. */
  roomFor(lane: Lane, nowMs: number): number {
    let messages = 0;
    for (const queue of this.#lanes.get(lane)?.called ?? [])
      messages += Math.min(queue.length, queue.destination.room(this.#batchMax, nowMs));
    return messages;
  }

  *#waiting(couldSend: (lane: Lane) => boolean): Generator<DestinationQueue> {
    for (const [lane, { queues }] of this.#lanes) {
      if (!couldSend(lane)) continue;
      for (const queue of queues.values()) if (queue.peek() !== undefined) yield queue;
    }
  }

  #putAsideIfFull(
    slice: Slice,
    { message, destination }: { message: AsideMessage; destination: Destination },
  ): boolean {
    const { work, offset } = message;
    const { lane } = work.chunk;
    const carried = slice.destinations?.has(destination) ?? false;
    const isAwaited = destination.isAwaited || this.#lanes.get(lane)?.queues.has(destination);
    if (!isAwaited && destination.hasRoom(this.#nowMs, { carried })) return false;
    work.putAside(offset, destination.match);
    const queue = this.#queueOf(lane, destination);
    queue.push({ work, offset });
    destination.order.add(queue);
    this.#call(destination);
    return true;
  }

  #carry(destination: Destination, slice: Slice): void {
    slice.destinations ??= new Set();
    if (!slice.destinations.has(destination)) {
      slice.destinations.add(destination);
      destination.begin();
    }
    destination.take();
  }

  /** Lets the queue send whose turn it is, if there is room; else the destination is looked at when there may be. */
  #call(destination: Destination): void {
    const queue = destination.order.next(this.#batchMax, true);
    if (queue === destination.called) return;
    this.#uncall(destination);
    if (queue === undefined) return;
    const waitMs = destination.waitMs(this.#batchMax, this.#nowMs);
    if (waitMs > 0) {
      const atMs = this.#nowMs + Math.max(waitMs, waitMsMin);
      if (atMs >= destination.wakeAtMs) return;
      destination.wakeAtMs = atMs;
      this.#timed.push(atMs, destination);
      return;
    }
    destination.called = queue;
    this.#lanes.get(queue.lane)!.called.add(queue);
    this.#settings.onRoom(queue.lane);
  }

  #uncall(destination: Destination): void {
    const { called } = destination;
    if (called === undefined) return;
    destination.called = undefined;
    this.#lanes.get(called.lane)?.called.delete(called);
  }

  #endCall({ destination }: DestinationQueue): void {
    this.#uncall(destination);
    this.#call(destination);
  }

  #isCalled(lane: Lane): boolean {
    return (this.#lanes.get(lane)?.called.size ?? 0) > 0;
  }

  #isReady(queue: DestinationQueue): boolean {
    if (queue.peek() !== undefined) return this.#settings.opens(queue.lane, this.#nowMs);
    this.#forget(queue);
    return false;
  }

  #queueOf(lane: Lane, destination: Destination): DestinationQueue {
    let aside = this.#lanes.get(lane);
    if (aside === undefined) {
      aside = { queues: new Map(), called: new Set() };
      this.#lanes.set(lane, aside);
    }
    let queue = aside.queues.get(destination);
    if (queue === undefined) {
      queue = new DestinationQueue(lane, destination);
      aside.queues.set(destination, queue);
      destination.queues++;
    }
    return queue;
  }

  /** It is empty. */
  #forget(queue: DestinationQueue): void {
    const { lane, destination } = queue;
    const aside = this.#lanes.get(lane);
    if (aside?.queues.get(destination) !== queue) return;
    aside.queues.delete(destination);
    aside.called.delete(queue);
    destination.queues--;
    if (aside.queues.size === 0) this.#lanes.delete(lane);
  }

  /** What was put aside is looked at anew: it may belong to another destination now, or to none. */
  #returnAll(): void {
    for (const [lane, { queues }] of this.#lanes) {
      const works = new Set<ChunkWork>();
      for (const queue of queues.values()) {
        for (let message = queue.peek(); message; message = queue.peek()) {
          works.add(message.work);
          queue.shift();
        }
        queue.destination.called = undefined;
        queue.destination.queues--;
      }
      for (const work of works) lane.offer(work, work.returnAside());
      this.#settings.onRoom(lane);
    }
    this.#lanes.clear();
  }
}
