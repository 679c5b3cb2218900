import { DeficitRoundRobin, type Turn } from './deficit-round-robin.ts';
import { isInteractive } from './lane.ts';

/** Of ten messages, bulk gets one while interactive lanes could take them all. */
export const interactivePerBulk = 9;

/** What takes turns by its priority as well. */
export interface RankedTurn extends Turn {
  readonly key: { readonly priority: number };
}

/** Whose turn it is on one route: interactive lanes before bulk ones, each kind in deficit round robin. */
export class TurnOrder<Lane extends RankedTurn> {
  readonly #interactive: DeficitRoundRobin<Lane>;
  readonly #bulk: DeficitRoundRobin<Lane>;
  /** Messages that bulk may take before interactive ones, for having waited. */
  #owedToBulk = 0;

  /** A lane that is not ready when its turn comes is forgotten until it is added again. */
  constructor(isReady: (lane: Lane) => boolean) {
    this.#interactive = new DeficitRoundRobin(isReady);
    this.#bulk = new DeficitRoundRobin(isReady);
  }

  /** Lanes in the rings; some may have become idle since they were added. */
  get length(): number {
    return this.#interactive.length + this.#bulk.length;
  }

  add(lane: Lane): void {
    this.#of(lane).add(lane);
  }

  /** `bulkAllowed` is false while only the capacity kept for interactive messages is left. */
  next(quantum: number, bulkAllowed: boolean): Lane | undefined {
    if (bulkAllowed && this.#owedToBulk >= quantum) {
      const bulk = this.#bulk.next(quantum);
      if (bulk) return bulk;
      this.#owedToBulk = 0;
    }
    return this.#interactive.next(quantum) ?? (bulkAllowed ? this.#bulk.next(quantum) : undefined);
  }

  charge(lane: Lane, messages: number): void {
    this.#of(lane).charge(lane, messages);
    if (!isInteractive(lane)) {
      this.#owedToBulk = Math.max(0, this.#owedToBulk - messages);
    } else if (this.#bulk.length > 0) {
      this.#owedToBulk += messages / interactivePerBulk;
    }
  }

  #of(lane: Lane): DeficitRoundRobin<Lane> {
    return isInteractive(lane) ? this.#interactive : this.#bulk;
  }
}
