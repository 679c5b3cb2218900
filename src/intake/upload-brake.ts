import type { Clock } from '../lib/clock.ts';

/** Slots a second, of 1,000 messages each. An upload begins so, and is never slower for others' sake: 4,000,000 messages in 40 s. */
const paceMin = 100;
/** More than any machine takes. */
const paceMax = 4_000;
const slower = 0.7;
const faster = 1.1;
/** The part of commits that is watched, and how much longer than in a calm time it may take. */
const watched = 0.9;
const bearable = 1.3;
/** Up to here the time of a commit is nobody's trouble. */
const bearableMsMin = 10;
/** Where no calm time was seen yet. */
const bearableMsUnknown = 20;
const lookEveryMs = 100;
/** Where few commits come, a look waits for more of them, but not for ever. */
const commitsMin = 8;
const lookAtLatestMs = 1_000;
const calmKept = 500;
/** So long after its last slot, an upload weighs on nobody. */
const calmAfterMs = 1_000;
/** Without a single message for so long, committed or waiting for it, uploads have the machine for themselves. */
const singlesWithinMs = 1_000;
/** A shorter wait is not worth a timer: it is made good with the next one. */
const waitMsMin = 1;

/**
 * What uploads leave to single messages. An upload alone takes all of a small machine, and whatever else comes then waits
 * at every step of its way. So while single messages come in, their commits are timed: as long as they take about
 * as long as without uploads, uploads go faster, little by little; when they take longer, slower at once. Without
 * single messages there is no brake.
 */
export class UploadBrake {
  readonly #clock: Clock;
  readonly #singlesWait: () => boolean;
  #slotsPerSecond = paceMin;
  #nextAtMs = Number.NEGATIVE_INFINITY;
  /** In the order in which they came. */
  readonly #waiting = new Set<{ part: number; begin: () => void }>();
  /** Somebody waits, and is looked at again when it is time. */
  #serving = false;
  #lastSlotAtMs = Number.NEGATIVE_INFINITY;
  #lastSingleAtMs = Number.NEGATIVE_INFINITY;
  /** Milliseconds of commits since the last look, beside uploads. */
  #braked: number[] = [];
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** The same of the last ones without any upload. */
  readonly #calm: number[] = [];

  /** `singlesWait`: there are single messages that are not committed yet. */
  constructor(settings: { clock: Clock; singlesWait: () => boolean }) {
    this.#clock = settings.clock;
    this.#singlesWait = settings.singlesWait;
  }

  /** Of all uploads together; undefined while nothing brakes them. */
  get slotsPerSecond(): number | undefined {
    return this.#isAlone(this.#clock.monotonicMs()) ? undefined : this.#slotsPerSecond;
  }

  /** Single messages were committed together; the first of them had come `tookMs` before. */
  noteCommit(tookMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    this.#lastSingleAtMs = nowMs;
    if (nowMs - this.#lastSlotAtMs > calmAfterMs) {
      this.#calm.push(tookMs);
      if (this.#calm.length > calmKept) this.#calm.shift();
      return;
    }
    this.#braked.push(tookMs);
    const sinceMs = nowMs - this.#lookedAtMs;
    if (sinceMs >= (this.#braked.length < commitsMin ? lookAtLatestMs : lookEveryMs)) this.#adapt(nowMs);
  }

  /** Resolves when the next slot may be taken in, of which `part` is full; rejects with the signal's reason. */
  async turn(part: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lastSlotAtMs > calmAfterMs) this.#begin(nowMs);
    this.#lastSlotAtMs = nowMs;
    if (this.#waiting.size === 0) {
      if (this.#isAlone(nowMs)) return;
      this.#nextAtMs = Math.max(nowMs, this.#nextAtMs);
    }
    const turn = new Promise<void>((resolve, reject) => {
      const giveUp = () => {
        this.#waiting.delete(slot);
        reject(signal.reason);
      };
      const begin = () => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const slot = { part, begin };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.add(slot);
    });
    if (!this.#serving) this.#serve();
    await turn;
  }

  /** Lets those begin whose turn it is. What has given up has left the queue, and costs the others no time. */
  #serve(): void {
    const nowMs = this.#clock.monotonicMs();
    const alone = this.#isAlone(nowMs);
    for (const slot of this.#waiting) {
      if (!alone && this.#nextAtMs - nowMs >= waitMsMin) break;
      this.#waiting.delete(slot);
      if (!alone) this.#nextAtMs += (slot.part * 1_000) / this.#slotsPerSecond;
      slot.begin();
    }
    this.#serving = this.#waiting.size > 0;
    if (this.#serving) void this.#clock.sleep(this.#nextAtMs - nowMs).then(() => this.#serve());
  }

  /** A commit that hangs for a second tells nothing; its messages are there all the same. */
  #isAlone(nowMs: number): boolean {
    return nowMs - this.#lastSingleAtMs > singlesWithinMs && !this.#singlesWait();
  }

  #begin(nowMs: number): void {
    this.#slotsPerSecond = paceMin;
    this.#nextAtMs = nowMs;
    this.#braked = [];
    this.#lookedAtMs = nowMs;
  }

  #adapt(nowMs: number): void {
    const isSlow = partOf(this.#braked, watched) > this.#bearableMs();
    const pace = this.#slotsPerSecond * (isSlow ? slower : faster);
    this.#slotsPerSecond = Math.min(paceMax, Math.max(paceMin, pace));
    this.#braked = [];
    this.#lookedAtMs = nowMs;
  }

  #bearableMs(): number {
    if (this.#calm.length < commitsMin) return bearableMsUnknown;
    return Math.max(bearableMsMin, bearable * partOf(this.#calm, watched));
  }
}

/** The value below which so large a part of the values lies. */
function partOf(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
}
