import { Fifo } from '../../lib/fifo.ts';
import type { Lane, LaneKey } from '../backlog/lane.ts';
import type { RankedTurn } from '../backlog/turn-order.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import type { Destination } from './destination.ts';

export interface AsideMessage {
  work: ChunkWork;
  offset: number;
}

/** Before a queue is longer, it is looked through for messages that wait no more. */
const sweepFrom = 64;

/** What one lane has for one destination that has no room for it now, in the order in which it came. */
export class DestinationQueue implements RankedTurn {
  readonly lane: Lane;
  readonly destination: Destination;
  deficit = 0;
  active = false;
  readonly #messages = new Fifo<AsideMessage>();
  #sweepAt = sweepFrom;

  constructor(lane: Lane, destination: Destination) {
    this.lane = lane;
    this.destination = destination;
  }

  get key(): LaneKey {
    return this.lane.key;
  }

  get weight(): number {
    return this.lane.weight;
  }

  /** Messages in it; some may wait no more, unless `peek` finds none. */
  get length(): number {
    return this.#messages.length;
  }

  push(message: AsideMessage): void {
    if (this.#messages.length >= this.#sweepAt) this.#sweep();
    this.#messages.push(message);
  }

  /** The next message. Those that were canceled, held or lost meanwhile are passed over. */
  peek(): AsideMessage | undefined {
    for (;;) {
      const message = this.#messages.peek();
      if (message === undefined || waits(message)) return message;
      this.#messages.shift();
    }
  }

  /** The next message leaves the queue. */
  shift(): void {
    this.#messages.shift();
  }

  #sweep(): void {
    for (let left = this.#messages.length; left > 0; left--) {
      const message = this.#messages.shift()!;
      if (waits(message)) this.#messages.push(message);
    }
    this.#sweepAt = Math.max(sweepFrom, 2 * this.#messages.length);
  }
}

function waits({ work, offset }: AsideMessage): boolean {
  return work.aside.has(offset) && work.chunk.tenure.state === 'held';
}
