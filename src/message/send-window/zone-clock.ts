/** A stretch of time during which the clocks of a zone are equally far ahead of UTC. Unix milliseconds; `untilMs` is not in it. */
export interface ZoneStretch {
  fromMs: number;
  untilMs: number;
  aheadMs: number;
}

const minuteMs = 60_000;
/** No zone changes its clocks back and forth within this time. */
const stepMs = 3 * 86_400_000;

/** A formatter takes tens of microseconds to use and far more to make: the zones in use each keep theirs. */
const formattersMax = 1_000;
const formatters = new Map<string, Intl.DateTimeFormat>();

/** Whether the name is one of the IANA data base. Distances from UTC are none: clocks that change by season have no fixed one. */
export function isTimeZone(name: string): boolean {
  if (!/^[a-z]/i.test(name)) return false;
  try {
    // Not kept: senders may write a name in many ways.
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** How far ahead of UTC the clocks of a zone are, from `fromMs` to `untilMs`. They change at whole minutes. */
export function zoneStretches(
  zone: string,
  { fromMs, untilMs }: Omit<ZoneStretch, 'aheadMs'>,
): ZoneStretch[] {
  const stretches: ZoneStretch[] = [];
  let begin = Math.floor(fromMs / minuteMs) * minuteMs;
  let ahead = aheadOfUtc(zone, begin);
  for (let at = begin; at < untilMs; ) {
    const next = Math.min(at + stepMs, Math.ceil(untilMs / minuteMs) * minuteMs);
    const then = aheadOfUtc(zone, next);
    if (then !== ahead) {
      const changed = changeBetween(zone, { beforeMs: at, afterMs: next });
      stretches.push({ fromMs: begin, untilMs: changed, aheadMs: ahead });
      begin = changed;
      ahead = then;
    }
    at = next;
  }
  stretches.push({ fromMs: begin, untilMs, aheadMs: ahead });
  return stretches;
}

/** The minute at which the clocks show what they show at `afterMs`. */
function changeBetween(zone: string, { beforeMs, afterMs }: { beforeMs: number; afterMs: number }): number {
  const before = aheadOfUtc(zone, beforeMs);
  let low = beforeMs / minuteMs;
  let high = afterMs / minuteMs;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (aheadOfUtc(zone, middle * minuteMs) === before) low = middle;
    else high = middle;
  }
  return high * minuteMs;
}

/** Of a whole minute. */
function aheadOfUtc(zone: string, ms: number): number {
  const shown: Record<string, number> = {};
  for (const { type, value } of formatterOf(zone).formatToParts(ms)) shown[type] = Number(value);
  const { year, month, day, hour, minute, second } = shown;
  return Date.UTC(year!, month! - 1, day, hour, minute, second) - ms;
}

function formatterOf(zone: string): Intl.DateTimeFormat {
  let formatter = formatters.get(zone);
  if (formatter === undefined) {
    const number = 'numeric';
    const date = { year: number, month: number, day: number } as const;
    const time = { hour: number, minute: number, second: number, hourCycle: 'h23' } as const;
    formatter = new Intl.DateTimeFormat('en-US', { timeZone: zone, calendar: 'gregory', ...date, ...time });
    if (formatters.size >= formattersMax) formatters.delete(formatters.keys().next().value!);
    formatters.set(zone, formatter);
  }
  return formatter;
}
