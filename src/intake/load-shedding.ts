import { ProblemError } from '../message/error-codes.ts';
import type { Priority } from '../message/fields.ts';

/** What waits to be committed of single messages. */
export interface Backlog {
  messages: number;
  /** How much of the room for them is taken, from 0 to 1. */
  part: number;
  /** For how long the first of them has waited; 0 without any. */
  oldestMs: number;
}

/**
 * A commit takes some milliseconds, and what shares one waits for another at most. Who waits this long waits behind
 * more than the database takes.
 */
const overloadedAfterMs = 1_000;
/** Fewer messages than this wait for something that is wrong, such as a failover, and not for one another. */
const overloadedMessagesMin = 500;
/** The other half of the room is for interactive messages, however fast bulk comes in. */
const overloadedPart = 0.5;
/** Bulk is taken again when the first one waits this long only, so that it does not begin and end with every commit. */
const relievedBelowMs = 250;
const retryAfterSeconds = 2;

/**
 * Refuses bulk while more single messages come in than are committed, so that interactive ones wait less and are not refused.
 * How long messages wait tells it, whatever the machine can do; the processor's load would not: a busy machine may keep up.
 */
export class LoadShedding {
  readonly #backlog: () => Backlog;
  readonly #onRefused: (count: number) => void;
  #on = false;

  constructor(settings: { backlog: () => Backlog; onRefused: (count: number) => void }) {
    this.#backlog = settings.backlog;
    this.#onRefused = settings.onRefused;
  }

  get isOn(): boolean {
    const { messages, part, oldestMs } = this.#backlog();
    if (this.#on) this.#on = oldestMs >= relievedBelowMs || part >= overloadedPart;
    else {
      const isLate = oldestMs >= overloadedAfterMs && messages >= overloadedMessagesMin;
      this.#on = isLate || part >= overloadedPart;
    }
    return this.#on;
  }

  /** Why so many messages, or an upload, of this priority have to wait; undefined where they need not. */
  problemOf(priority: Priority, count = 1): ProblemError | undefined {
    if (priority !== 'bulk' || !this.isOn) return undefined;
    this.#onRefused(count);
    return new ProblemError(
      'overloaded',
      `More messages come in than the database stores at the moment. Send bulk again in ${retryAfterSeconds} s.`,
      { retryAfterSeconds },
    );
  }
}
