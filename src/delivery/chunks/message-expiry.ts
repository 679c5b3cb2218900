import { unixMsOf } from '../../message/id.ts';
import type { OpenHours } from '../../message/send-window/open-hours.ts';
import type { MessageHistory } from './message-history.ts';
import { type MessageTimes, untimed } from './message-times.ts';

/** Of the time in which windows are closed, so much counts for nothing: messages are kept no longer than some weeks. */
const closedMsMax = 30 * 86_400_000;

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
   * What a route allows counts from the message's creation, its schedule or its last replay, whichever came last, and
   * while the windows are open that the message has. Without an offset: of one without times and replays.
   */
  atMs(offset: number | undefined, expireAfterMs: number, hours?: OpenHours): number {
    const ofOpen = { openMs: expireAfterMs, closedMsMax };
    const after = (ms: number) => hours?.endMs(ms, ofOpen) ?? ms + expireAfterMs;
    if (offset === undefined || !this.isOwn(offset)) return after(this.#createdAtMs);
    const { scheduledAtMs, expiresAtMs } = this.#times ?? untimed;
    const startMs = Math.max(this.#createdAtMs, this.#history.replayedAtMs(offset), scheduledAtMs(offset));
    return Math.min(after(startMs), expiresAtMs(offset));
  }
}
