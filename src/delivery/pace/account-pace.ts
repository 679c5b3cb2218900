import { isInteractive, type Lane } from '../backlog/lane.ts';
import { interactivePerBulk } from '../backlog/turn-order.ts';
import { Pace } from './pace.ts';

/** A lane that is told to wait asks again after so long at most: the account's limit may be another one by then. */
const waitMsMax = 1_000;
/** One that has not asked so long after its time has nothing to send, or no connection: the others need not wait for it. */
const lateMsMax = 50;

/**
 * How fast the messages of one account may leave, over all its routes. Its lanes are on routes that know nothing of each
 * other, so they take turns here: in the order in which they came, interactive ones before bulk ones, of which
 * one in ten messages goes first all the same.
 */
export class AccountPace {
  readonly #pace: Pace;
  /** Lanes that want to send, with when they are to ask again. */
  readonly #interactive = new Map<Lane, number>();
  readonly #bulk = new Map<Lane, number>();
  #taken = 0;
  /** Messages that bulk may take before interactive ones, for having waited. */
  #owedToBulk = 0;

  constructor(nowMs: number) {
    this.#pace = new Pace(undefined, nowMs);
  }

  /** A new rate holds at once. */
  change(ratePerSecond: number, nowMs: number): void {
    this.#pace.change(ratePerSecond, nowMs);
  }

  /** Messages that the lane may send now; 0 while it must wait, until `againAtMs`. */
  room(lane: Lane, { batchMax, nowMs }: { batchMax: number; nowMs: number }): number {
    const worthwhile = this.#pace.worthwhile(batchMax);
    const ahead = this.#ahead(lane, { worthwhile, nowMs });
    const allowance = this.#pace.allowance(nowMs);
    const may = ahead === 0 && allowance >= worthwhile;
    const waitMs = may ? 0 : Math.max(1, this.#pace.waitMs(worthwhile * (ahead + 1), nowMs));
    this.#of(lane).set(lane, nowMs + Math.min(waitMs, waitMsMax));
    return may ? allowance : 0;
  }

  againAtMs(lane: Lane): number {
    return this.#of(lane).get(lane) ?? Number.NEGATIVE_INFINITY;
  }

  /** Its turn is over. */
  take(lane: Lane, messages: number): void {
    this.#pace.take(messages);
    this.#taken += messages;
    this.#of(lane).delete(lane);
    if (this.#bulk.size === 0) this.#owedToBulk = 0;
    else if (isInteractive(lane)) this.#owedToBulk += messages / interactivePerBulk;
    else this.#owedToBulk = Math.max(0, this.#owedToBulk - messages);
  }

  /** So many messages that were taken did not leave after all. */
  giveBack(messages: number): void {
    this.#pace.giveBack(messages);
  }

  /** Nobody waits, and nothing is left to remember of what has left. */
  isIdle(nowMs: number): boolean {
    for (const queue of [this.#interactive, this.#bulk]) {
      for (const untilMs of queue.values()) if (untilMs + lateMsMax >= nowMs) return false;
    }
    return this.#taken === 0 && this.#pace.isFull(nowMs);
  }

  /** Messages since the last call. */
  takeUse(): number {
    const taken = this.#taken;
    this.#taken = 0;
    return taken;
  }

  /** Lanes whose turn comes before that of this one. */
  #ahead(lane: Lane, { worthwhile, nowMs }: { worthwhile: number; nowMs: number }): number {
    const [bulkHead] = this.#bulk;
    // Bulk that is not here yet would only waste the turn.
    const isHere = bulkHead !== undefined && (bulkHead[0] === lane || bulkHead[1] <= nowMs);
    const bulkFirst = isHere && this.#owedToBulk >= worthwhile;
    let ahead = 0;
    for (const queue of bulkFirst ? [this.#bulk, this.#interactive] : [this.#interactive, this.#bulk]) {
      for (const [other, untilMs] of queue) {
        if (other === lane) return ahead;
        if (untilMs + lateMsMax < nowMs) queue.delete(other);
        else ahead++;
      }
      if (queue === this.#of(lane)) break;
    }
    return ahead;
  }

  #of(lane: Lane): Map<Lane, number> {
    return isInteractive(lane) ? this.#interactive : this.#bulk;
  }
}
