import type { Clock } from '../lib/clock.ts';
import { IdGaps } from './id-gaps.ts';
import type { OutboxSession, StagedSize } from './outbox-session.ts';

/** Between an id being drawn and its row being there nothing waits for so long. */
export const settleEveryMs = 30_000;
/** Whatever else may have put a row behind what was read is found by then: an id that was given by hand, a sequence that was set back. */
export const readAllEveryMs = 60_000;

/** Finds staged rows from the last one on, and in the gaps below it: see `IdGaps`. */
export class StagedReader {
  readonly #session: OutboxSession;
  readonly #clock: Clock;
  readonly #gaps = new IdGaps();
  /** What is to be known of the gaps up to an id, step by step. */
  #settling:
    | { step: 'noticed'; upTo: number }
    | { step: 'waiting'; upTo: number; since: string }
    | { step: 'ended'; upTo: number }
    | undefined;
  #settleAtMs: number;
  #readAllAtMs: number;
  /** All rows up to this id that were committed at the last read are among its rows. */
  #readThrough = 0;

  constructor(session: OutboxSession, clock: Clock) {
    this.#session = session;
    this.#clock = clock;
    this.#settleAtMs = clock.monotonicMs() + settleEveryMs;
    this.#readAllAtMs = clock.monotonicMs() + readAllEveryMs;
  }

  /** By rising id. They are read again until they are `taken`. */
  async read(limit: number): Promise<StagedSize[]> {
    await this.#settle();
    const rows = await this.#session.readStaged({ ...this.#where(), limit });
    this.#readThrough = rows.length < limit ? Number.POSITIVE_INFINITY : rows.at(-1)!.id;
    return rows;
  }

  /** The first rows of the last read, or all, are not in the staging table any more; `left` is the first that still is. */
  taken(ids: readonly number[], left: number | undefined): void {
    this.#gaps.saw(ids);
    const through = left === undefined ? this.#readThrough : left - 1;
    if (this.#settling?.step !== 'ended' || this.#settling.upTo > through) return;
    this.#gaps.settle(this.#settling.upTo);
    this.#settling = undefined;
  }

  #where() {
    const { after, ranges } = this.#gaps;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#readAllAtMs || after === 0) return { after, gaps: ranges };
    this.#readAllAtMs = nowMs + readAllEveryMs;
    return { after, gaps: [[1, after] as const] };
  }

  /**
   * One step each time, a while after the one before: the ids seen; the transactions that are open; whether these have
   * ended. An id below the first was drawn by then, and its row was there when the transactions were looked at. The rows
   * of those that have ended are in the next read, which forgets the gaps.
   */
  async #settle(): Promise<void> {
    const { after, ranges } = this.#gaps;
    const nowMs = this.#clock.monotonicMs();
    if (ranges.length === 0 || nowMs < this.#settleAtMs || this.#settling?.step === 'ended') return;
    this.#settleAtMs = nowMs + settleEveryMs;
    if (this.#settling === undefined) {
      this.#settling = { step: 'noticed', upTo: after };
      return;
    }
    const { step, upTo } = this.#settling;
    if (step === 'noticed') {
      this.#settling = { step: 'waiting', upTo, since: await this.#session.moment() };
      return;
    }
    const below = ranges.filter(([first]) => first <= upTo);
    const { since } = this.#settling as { since: string };
    if (await this.#session.haveEnded(since, below)) this.#settling = { step: 'ended', upTo };
  }
}
