import { minuteOfDay, type SendWindow, weekdays } from './send-window.ts';
import { zoneStretches } from './zone-clock.ts';

/** Unix milliseconds; `untilMs` is not in it. */
export interface Interval {
  fromMs: number;
  untilMs: number;
}

const minuteMs = 60_000;
const dayMs = 86_400_000;
/** A window that does not open within this time never does: it repeats each week, but for one that falls into an hour that is left out. */
const neverAfterMs = 21 * dayMs;
/** What is worked out is kept for so long at most, else from anew. */
const keptMsMax = 120 * dayMs;

/** When several windows are open at the same time, each by the clocks of its zone. */
export class OpenHours {
  readonly #windows: readonly { window: SendWindow; zone: string }[];
  /** In order, apart from each other, from `#fromMs` to `#untilMs`. */
  #intervals: Interval[] = [];
  #fromMs = 0;
  #untilMs = 0;

  constructor(windows: readonly { window: SendWindow; zone: string }[]) {
    this.#windows = windows;
  }

  /** `ms` itself while they are open, else when they are next; Infinity for never. */
  opensAtMs(ms: number): number {
    const interval = this.#intervalAt(ms);
    return interval === undefined ? Number.POSITIVE_INFINITY : Math.max(ms, interval.fromMs);
  }

  /**
   * The moment at which they will have been open for `openMs` from `startMs` on. Of the time in which they are closed
   * `closedMsMax` counts for nothing: what is beyond counts as well.
   */
  endMs(startMs: number, { openMs, closedMsMax }: { openMs: number; closedMsMax: number }): number {
    const latestMs = startMs + openMs + closedMsMax;
    let leftMs = openMs;
    for (let ms = startMs; ms < latestMs; ) {
      const interval = this.#intervalAt(ms);
      if (interval === undefined) return latestMs;
      const fromMs = Math.max(ms, interval.fromMs);
      if (interval.untilMs - fromMs >= leftMs) return Math.min(fromMs + leftMs, latestMs);
      leftMs -= interval.untilMs - fromMs;
      ms = interval.untilMs;
    }
    return latestMs;
  }

  /** The one that `ms` is in, or the first behind it. Its end may be that of what is worked out so far. */
  #intervalAt(ms: number): Interval | undefined {
    const found = this.#firstEndingAfter(ms);
    if (found && ms >= this.#fromMs) return found;
    if (ms >= this.#fromMs && ms + neverAfterMs <= this.#untilMs) return undefined;
    this.#workOut(ms);
    return this.#firstEndingAfter(ms);
  }

  #firstEndingAfter(ms: number): Interval | undefined {
    let low = 0;
    let high = this.#intervals.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#intervals[middle]!.untilMs > ms) high = middle;
      else low = middle + 1;
    }
    return this.#intervals[low];
  }

  #workOut(ms: number): void {
    const wanted = { fromMs: ms - dayMs, untilMs: ms + 2 * neverAfterMs };
    const fromMs = Math.min(wanted.fromMs, this.#fromMs);
    const untilMs = Math.max(wanted.untilMs, this.#untilMs);
    const range = untilMs - fromMs <= keptMsMax ? { fromMs, untilMs } : wanted;
    this.#intervals = this.#windows
      .map(({ window, zone }) => openIntervals(window, zone, range))
      .reduce(intersection);
    this.#fromMs = range.fromMs;
    this.#untilMs = range.untilMs;
  }
}

/**
 * A window is open while a clock on the wall shows a time within it. So it opens later where that hour is left out, not at all
 * where all of it is, and a time that the clocks show twice is in it twice.
 */
function openIntervals(window: SendWindow, zone: string, range: Interval): Interval[] {
  const from = minuteOfDay(window.from)! * minuteMs;
  const to = minuteOfDay(window.to)! * minuteMs;
  const until = to > from ? to : to + dayMs;
  const days = new Set(window.days);
  const intervals: Interval[] = [];
  for (const { fromMs, untilMs, aheadMs } of zoneStretches(zone, range)) {
    // Midnights as the clocks show them; the first one may belong to a window that goes over midnight.
    const first = Math.floor((fromMs + aheadMs) / dayMs) * dayMs - dayMs;
    for (let midnight = first; midnight - aheadMs < untilMs; midnight += dayMs) {
      if (!days.has(weekdays[new Date(midnight).getUTCDay()]!)) continue;
      const begins = Math.max(fromMs, midnight + from - aheadMs);
      const ends = Math.min(untilMs, midnight + until - aheadMs);
      if (begins < ends) add(intervals, { fromMs: begins, untilMs: ends });
    }
  }
  return intervals;
}

/** Behind all that are there, or right at the last. */
function add(intervals: Interval[], { fromMs, untilMs }: Interval): void {
  const last = intervals.at(-1);
  if (last && last.untilMs >= fromMs) last.untilMs = Math.max(last.untilMs, untilMs);
  else intervals.push({ fromMs, untilMs });
}

function intersection(ones: readonly Interval[], others: readonly Interval[]): Interval[] {
  const shared: Interval[] = [];
  for (let i = 0, j = 0; i < ones.length && j < others.length; ) {
    const one = ones[i]!;
    const other = others[j]!;
    const fromMs = Math.max(one.fromMs, other.fromMs);
    const untilMs = Math.min(one.untilMs, other.untilMs);
    if (fromMs < untilMs) shared.push({ fromMs, untilMs });
    if (one.untilMs < other.untilMs) i++;
    else j++;
  }
  return shared;
}
