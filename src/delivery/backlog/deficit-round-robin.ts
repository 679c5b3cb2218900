import { Fifo } from '../../lib/fifo.ts';

/** What takes turns. `ready` says whether it has anything to take. */
export interface Turn {
  weight: number;
  deficit: number;
  active: boolean;
}

/**
 * Deficit round robin (Shreedhar and Varghese, SIGCOMM 1995) in its surplus form: a lane at the head takes
 * while its deficit is above zero, may overdraw it with its last slice, and pays for that in the next round. One
 * round gives each lane `quantum` messages times its weight, so with a quantum of the largest slice each visit
 * serves, and choosing costs the same however many lanes there are.
 */
export class DeficitRoundRobin<Lane extends Turn> {
  readonly #ring = new Fifo<Lane>();
  readonly #isReady: (lane: Lane) => boolean;

  constructor(isReady: (lane: Lane) => boolean) {
    this.#isReady = isReady;
  }

  /** Lanes in the ring; some may have become idle since they were added. */
  get length(): number {
    return this.#ring.length;
  }

  /** Takes a lane that has work; one that is in the ring already stays where it is. */
  add(lane: Lane): void {
    if (lane.active) return;
    lane.active = true;
    this.#ring.push(lane);
  }

  /** The lane whose turn it is, which stays at the head until `charge` has used its turn up. */
  next(quantum: number): Lane | undefined {
    for (;;) {
      const lane = this.#ring.peek();
      if (lane === undefined) return undefined;
      if (!this.#isReady(lane)) {
        this.#ring.shift();
        lane.active = false;
        // Idle lanes save nothing up, but do not lose their debts either.
        lane.deficit = Math.min(lane.deficit, 0);
        continue;
      }
      if (lane.deficit <= 0) lane.deficit += quantum * lane.weight;
      if (lane.deficit > 0) return lane;
      this.#ring.push(this.#ring.shift()!);
    }
  }

  /** The lane at the head has taken so many messages. */
  charge(lane: Lane, messages: number): void {
    lane.deficit -= messages;
    if (lane.deficit <= 0 && this.#ring.peek() === lane) this.#ring.push(this.#ring.shift()!);
  }
}
