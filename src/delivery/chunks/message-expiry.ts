import { unixMsOf } from '../../message/id.ts';
import type { MessageHistory } from './message-history.ts';
import { type MessageTimes, untimed } from './message-times.ts';

/** When the messages of one chunk expire, in Unix milliseconds of the database. */
export class MessageExpiry {
  readonly #createdAtMs: number;
  readonly #times: MessageTimes | undefined;
  readonly #history: MessageHistory;

  constructor(of: { chunkId: string; times: MessageTimes | undefined; history: MessageHistory }) {
    this.#createdAtMs = unixMsOf(of.chunkId);
    this.#times = of.times;
    this.#history = of.history;
  }

  /** The message expires otherwise than those of its chunk that nobody scheduled or replayed. */
  isOwn(offset: number): boolean {
    return this.#times !== undefined || this.#history.replayedAtMs(offset) > 0;
  }

  /**
   * What a route allows counts from the message's creation, its schedule or its last replay, whichever came last.
   * Without an offset: of one without times and replays.
   */
  atMs(offset: number | undefined, expireAfterMs: number): number {
    if (offset === undefined || !this.isOwn(offset)) return this.#createdAtMs + expireAfterMs;
    const { scheduledAtMs, expiresAtMs } = this.#times ?? untimed;
    const startMs = Math.max(this.#createdAtMs, this.#history.replayedAtMs(offset), scheduledAtMs(offset));
    return Math.min(startMs + expireAfterMs, expiresAtMs(offset));
  }
}
