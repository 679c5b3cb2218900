import type { buildConnector } from 'undici';
import { Fifo } from '../../lib/fifo.ts';
import type { Reply } from './request-slot.ts';
import { RequestSlot } from './request-slot.ts';

export interface ConnectionsSettings<Task> {
  /** Over all origins together. */
  connectionsMax: number;
  connect: buildConnector.connector;
  responseBytesMax: number;
  onReply(task: Task, reply: Reply): void;
  /** Asked of a task that had to wait, when its turn has come. */
  isWanted(task: Task): boolean;
  /** Lets the slot work for the task; false when that cannot be. */
  start(slot: RequestSlot<Task>, task: Task): boolean;
  /** All tasks have one origin, which may then use every connection. */
  oneOrigin?: boolean;
}

/**
 * An origin may have this many times the connections that are left for others (dynamic thresholds: Choudhury and Hahne,
 * 1998). Alone it gets three quarters of all, of two that want all each gets three sevenths, and a newcomer finds one free.
 */
const shareOfFree = 3;

/** With fewer there is nothing to be kept free: one of three is a third. */
const connectionsWithReserve = 4;

/**
 * The connections of one sender by origin, and the tasks that wait for one. Surplus connections fall idle and close; when
 * all there may be exist, the one that was idle longest gives way to an origin that has none.
 */
export class Connections<Task> {
  readonly #settings: ConnectionsSettings<Task>;
  readonly #origins = new Map<string, Origin<Task>>();
  readonly #slots = new Set<RequestSlot<Task>>();
  /** Idle slots, the longest idle first. */
  readonly #idle = new Map<RequestSlot<Task>, Origin<Task>>();
  /** Origins that have tasks waiting, in turn. */
  readonly #turns = new Fifo<Origin<Task>>();
  readonly #retiring = new Set<Promise<void>>();
  #busyCount = 0;
  #waitingCount = 0;

  constructor(settings: ConnectionsSettings<Task>) {
    this.#settings = settings;
  }

  get waitingCount(): number {
    return this.#waitingCount;
  }

  all(): Iterable<RequestSlot<Task>> {
    return this.#slots;
  }

  /** Starts the task, or lets it wait for a connection. */
  offer(name: string, task: Task): void {
    let origin = this.#origins.get(name);
    if (origin === undefined) {
      origin = { name, idle: [], busyCount: 0, waiting: new Fifo(), hasTurn: false };
      this.#origins.set(name, origin);
    }
    const slot = origin.waiting.length > 0 ? undefined : this.#slotFor(origin);
    if (slot === undefined) {
      origin.waiting.push(task);
      this.#waitingCount += 1;
      if (!origin.hasTurn) this.#turns.push(origin);
      origin.hasTurn = true;
    } else if (!this.#begin(origin, slot, task)) {
      this.#putBack(origin, slot);
    }
  }

  /** Tasks that wait and match wait no more. */
  takeWaiting(matches: (task: Task) => boolean): Task[] {
    const taken: Task[] = [];
    for (const { waiting } of this.#origins.values()) {
      for (let left = waiting.length; left > 0; left--) {
        const task = waiting.shift()!;
        if (matches(task)) taken.push(task);
        else waiting.push(task);
      }
    }
    this.#waitingCount -= taken.length;
    return taken;
  }

  async close(): Promise<void> {
    await Promise.all([...[...this.#slots].map((slot) => slot.close()), ...this.#retiring]);
  }

  /** The last one that fell idle is the warmest. */
  #slotFor(origin: Origin<Task>): RequestSlot<Task> | undefined {
    if (!this.#mayTakeOneMore(origin)) return undefined;
    const warm = origin.idle.pop();
    if (warm !== undefined) {
      this.#idle.delete(warm);
      return warm;
    }
    if (this.#slots.size >= this.#settings.connectionsMax && !this.#retireOldest()) return undefined;
    const { connect, responseBytesMax, onReply } = this.#settings;
    const slot = new RequestSlot<Task>({
      origin: origin.name,
      connect,
      responseBytesMax,
      onReply,
      onFree: (freed) => this.#onFree(origin, freed),
    });
    this.#slots.add(slot);
    return slot;
  }

  #mayTakeOneMore({ busyCount }: Origin<Task>): boolean {
    const { connectionsMax, oneOrigin } = this.#settings;
    const free = connectionsMax - this.#busyCount;
    if (free <= 0) return false;
    if (oneOrigin || busyCount === 0 || connectionsMax < connectionsWithReserve) return true;
    return busyCount < shareOfFree * (free - 1);
  }

  #retireOldest(): boolean {
    const oldest = this.#idle.entries().next().value;
    if (oldest === undefined) return false;
    const [slot, origin] = oldest;
    this.#idle.delete(slot);
    this.#slots.delete(slot);
    origin.idle.splice(origin.idle.indexOf(slot), 1);
    this.#forgetEmpty(origin);
    const closing = slot.close().finally(() => this.#retiring.delete(closing));
    this.#retiring.add(closing);
    return true;
  }

  #begin(origin: Origin<Task>, slot: RequestSlot<Task>, task: Task): boolean {
    origin.busyCount += 1;
    this.#busyCount += 1;
    if (this.#settings.start(slot, task)) return true;
    origin.busyCount -= 1;
    this.#busyCount -= 1;
    return false;
  }

  #putBack(origin: Origin<Task>, slot: RequestSlot<Task>): void {
    origin.idle.push(slot);
    this.#idle.set(slot, origin);
  }

  #onFree(origin: Origin<Task>, slot: RequestSlot<Task>): void {
    origin.busyCount -= 1;
    this.#busyCount -= 1;
    this.#putBack(origin, slot);
    this.#startWaiting();
  }

  /** Origins that have tasks waiting take turns; one that may not have a connection now keeps its place. */
  #startWaiting(): void {
    const passed: Origin<Task>[] = [];
    const served: Origin<Task>[] = [];
    while (this.#turns.length > 0 && this.#busyCount < this.#settings.connectionsMax) {
      const origin = this.#turns.shift()!;
      const started = this.#startNext(origin);
      origin.hasTurn = origin.waiting.length > 0;
      if (origin.hasTurn) (started ? served : passed).push(origin);
      else this.#forgetEmpty(origin);
    }
    const others: Origin<Task>[] = [];
    if (passed.length > 0)
      for (let next = this.#turns.shift(); next; next = this.#turns.shift()) others.push(next);
    for (const origin of [...passed, ...others, ...served]) this.#turns.push(origin);
  }

  #startNext(origin: Origin<Task>): boolean {
    const slot = origin.waiting.length > 0 ? this.#slotFor(origin) : undefined;
    if (slot === undefined) return false;
    for (let task = origin.waiting.shift(); task !== undefined; task = origin.waiting.shift()) {
      this.#waitingCount -= 1;
      if (this.#settings.isWanted(task) && this.#begin(origin, slot, task)) return true;
    }
    this.#putBack(origin, slot);
    return false;
  }

  /** Endpoints come and go: what nothing is known of takes no memory. */
  #forgetEmpty(origin: Origin<Task>): void {
    const { name, idle, busyCount, waiting, hasTurn } = origin;
    if (idle.length > 0 || busyCount > 0 || waiting.length > 0 || hasTurn) return;
    if (this.#origins.get(name) === origin) this.#origins.delete(name);
  }
}

interface Origin<Task> {
  readonly name: string;
  readonly idle: RequestSlot<Task>[];
  busyCount: number;
  readonly waiting: Fifo<Task>;
  /** It is among the turns. */
  hasTurn: boolean;
}
