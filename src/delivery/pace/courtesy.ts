import { Pace } from './pace.ts';

/** From this part of its time on, a thread is busy: with less, whatever arrives is begun soon. */
export const busyFrom = 0.75;
/** Of the messages of a busy thread, the callbacks' part at least. */
const shareMin = 0.1;
/** However little else a busy thread sends, callbacks go on at this rate, in messages a second: a fortieth of what a thread can send. */
const rateMin = 100;
/** More than any thread sends: a rate that has come up to it is none. */
const rateMax = 10_000;
/** A look at a busy thread takes half away, one at a calm thread gives a tenth back: from the least to the most in 7 s. */
const slower = 0.5;
const faster = 1.1;
const lookEveryMs = 100;
/** Without a message of others for so long, callbacks have the thread for themselves. */
const othersWithinMs = 1_000;

/**
 * What callbacks leave to the messages that they tell of, on one thread that sends both. While others' messages leave and the thread
 * is busy, callbacks go slower, down to a tenth of what leaves; while it is not, faster, little by little. Without others there is
 * no limit.
 */
export class Courtesy {
  readonly #business: () => number;
  readonly #pace: Pace;
  #ratePerSecond = rateMax;
  #lookedAtMs: number;
  #lastOtherAtMs = Number.NEGATIVE_INFINITY;
  /** Messages since the last look. */
  #own = 0;
  #others = 0;
  #isBusy = false;

  /** `business`: how busy the thread was since it was asked last, from 0 to 1. */
  constructor(settings: { business: () => number; nowMs: number }) {
    this.#business = settings.business;
    this.#lookedAtMs = settings.nowMs;
    this.#pace = new Pace(undefined, settings.nowMs);
  }

  /** The thread is busy with others' messages. Its callbacks are held to their least then, and the making of callbacks and the matching of receipts wait. */
  givesWay(nowMs: number): boolean {
    this.#look(nowMs);
    return this.#isBusy;
  }

  /** Callbacks that may leave now, if it is worth a request of up to `messagesMax`; Infinity for no limit. */
  room(messagesMax: number, nowMs: number): number {
    this.#look(nowMs);
    const allowance = this.#pace.allowance(nowMs);
    return allowance < this.#pace.worthwhile(messagesMax) ? 0 : allowance;
  }

  /** How long until there is such room; 0 for now. */
  waitMs(messagesMax: number, nowMs: number): number {
    return this.#pace.waitMs(this.#pace.worthwhile(messagesMax), nowMs);
  }

  /** So many callbacks leave. */
  take(messages: number): void {
    this.#own += messages;
    this.#pace.take(messages);
  }

  /** So many of those did not leave after all. */
  giveBack(messages: number): void {
    this.#own -= messages;
    this.#pace.giveBack(messages);
  }

  /** So many messages leave that are no callbacks. */
  noteOthers(messages: number, nowMs: number): void {
    this.#others += messages;
    this.#lastOtherAtMs = nowMs;
  }

  #look(nowMs: number): void {
    const seconds = (nowMs - this.#lookedAtMs) / 1_000;
    if (seconds * 1_000 < lookEveryMs) return;
    const isBusy = this.#business() > busyFrom;
    const isAlone = nowMs - this.#lastOtherAtMs > othersWithinMs;
    this.#isBusy = isBusy && !isAlone;
    const own = Math.max(0, this.#own) / seconds;
    const others = this.#others / seconds;
    const least = Math.max(rateMin, (others * shareMin) / (1 - shareMin));
    if (isAlone) this.#ratePerSecond = rateMax;
    else if (isBusy) this.#ratePerSecond = Math.max(least, Math.min(this.#ratePerSecond, own) * slower);
    else this.#ratePerSecond = Math.min(rateMax, Math.max(least, this.#ratePerSecond * faster));
    this.#pace.change(this.#ratePerSecond < rateMax ? this.#ratePerSecond : undefined, nowMs);
    this.#lookedAtMs = nowMs;
    this.#own = 0;
    this.#others = 0;
  }
}
