import type { SeededRandom } from './seeded-random.ts';
import type { Trace } from './trace.ts';

export interface ScheduledEvent {
  readonly atMs: number;
  readonly tie: number;
  readonly run: () => void;
  canceled: boolean;
}

/**
 * The one line of events of a simulation: ordered by simulated time, and by chance where times are equal.
 * Between two events everything that the first one set going runs to its end: promises, that is, since nothing in
 * a simulation may wait for anything else. Only simulated processes have promises, and more than half of all events
 * (those of the network, the database and the provider) do not reach one: the next event follows these at once.
 */
export class Scheduler {
  readonly #random: SeededRandom;
  readonly #trace: Trace;
  readonly #heap: ScheduledEvent[] = [];
  #nowMs = 0;
  #events = 0;
  #entered = false;

  constructor(random: SeededRandom, trace: Trace) {
    this.#random = random;
    this.#trace = trace;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events so far. */
  get events(): number {
    return this.#events;
  }

  /** The present event reaches a process: its promises run to their end before the next event. */
  enter(): void {
    this.#entered = true;
  }

  after(ms: number, run: () => void): ScheduledEvent {
    const event = { atMs: this.#nowMs + Math.max(0, ms), tie: this.#random.next(), run, canceled: false };
    const heap = this.#heap;
    let index = heap.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = event;
    return event;
  }

  /** Runs events until `isDone`, or until none is left before `endMs`. */
  run({ endMs, isDone }: { endMs: number; isDone: () => boolean }): Promise<void> {
    return new Promise((resolve, reject) => {
      // Node runs the queue of ticks only when the queue of microtasks is empty, so that a tick asked for by a
      // microtask comes after all of them, those included that they add (nodejs.org/api/process.html,
      // "When to use queueMicrotask() vs. process.nextTick()"). It costs a third of setImmediate.
      const drained = () => process.nextTick(step);
      const step = () => {
        try {
          for (this.#entered = false; !this.#entered; ) {
            if (isDone()) return resolve();
            const event = this.#next(endMs);
            if (event === undefined) {
              this.#nowMs = endMs;
              return resolve();
            }
            this.#nowMs = event.atMs;
            this.#events++;
            this.#trace.tick(event.atMs);
            event.run();
          }
        } catch (error) {
          return reject(error);
        }
        queueMicrotask(drained);
      };
      queueMicrotask(drained);
    });
  }

  #next(endMs: number): ScheduledEvent | undefined {
    for (let event = this.#heap[0]; event !== undefined && event.atMs <= endMs; event = this.#heap[0]) {
      this.#pop();
      if (!event.canceled) return event;
    }
    return undefined;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    const length = heap.length;
    if (length === 0) return;
    let index = 0;
    for (let child = 1; child < length; child = 2 * index + 1) {
      if (child + 1 < length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  }
}

function isBefore(one: ScheduledEvent, other: ScheduledEvent): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.tie < other.tie);
}
