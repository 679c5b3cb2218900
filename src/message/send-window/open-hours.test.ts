import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OpenHours } from './open-hours.ts';
import { minuteOfDay, type SendWindow, type Weekday, weekdays } from './send-window.ts';

const minuteMs = 60_000;
const hourMs = 3_600_000;
const dayMs = 86_400_000;

const zones = [
  'Europe/Amsterdam',
  'Europe/London',
  'America/New_York',
  'America/St_Johns',
  'America/Sao_Paulo',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'Asia/Tehran',
  'Australia/Lord_Howe',
  'Australia/Sydney',
  'Pacific/Apia',
  'Pacific/Chatham',
  'Pacific/Kiritimati',
  'Africa/Casablanca',
  'Africa/Cairo',
  'America/Santiago',
  'UTC',
];

/** Moments of 2025 and 2026 about which clocks change somewhere, and any other of those years. */
const changes = [
  '2025-03-09T07:00:00Z',
  '2025-03-30T01:00:00Z',
  '2025-10-26T01:00:00Z',
  '2025-11-02T06:00:00Z',
  '2025-04-05T15:00:00Z',
  '2025-10-04T15:30:00Z',
  '2025-04-24T22:00:00Z',
  '2026-03-29T01:00:00Z',
  '2026-02-15T02:00:00Z',
  '2026-10-25T01:00:00Z',
].map((text) => Date.parse(text));

const moments = fc.oneof(
  fc
    .tuple(fc.constantFrom(...changes), fc.integer({ min: -2 * 24 * 60, max: 2 * 24 * 60 }))
    .map(([change, minutes]) => change + minutes * minuteMs),
  fc
    .integer({ min: Date.parse('2025-01-01') / minuteMs, max: Date.parse('2026-12-31') / minuteMs })
    .map((m) => m * minuteMs),
);

const clock = fc
  .integer({ min: 0, max: 24 * 60 - 1 })
  .map((minute) => `${two(Math.floor(minute / 60))}:${two(minute % 60)}`);

const windows: fc.Arbitrary<SendWindow> = fc
  .record({
    days: fc.uniqueArray(fc.constantFrom<Weekday>(...weekdays), { minLength: 1 }),
    from: clock,
    to: fc.oneof(clock, fc.constant('24:00')),
    timeZone: fc.constantFrom(...zones),
  })
  .filter(({ from, to }) => from !== to);

function two(number: number): string {
  return String(number).padStart(2, '0');
}

const walls = new Map(
  zones.map((timeZone) => {
    const options = {
      timeZone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    } as const;
    return [timeZone, new Intl.DateTimeFormat('en-GB', options)];
  }),
);

/** Whether a clock on the wall there shows a time of the window: what Intl writes, compared as text. */
function shows({ days, from, to, timeZone }: SendWindow, ms: number): boolean {
  const [weekday, time] = walls.get(timeZone)!.format(ms).split(/,? /) as [string, string];
  const today = weekday.toLowerCase() as Weekday;
  const yesterday = weekdays[(weekdays.indexOf(today) + 6) % 7]!;
  if (from < to) return days.includes(today) && time >= from && time < to;
  return (days.includes(today) && time >= from) || (days.includes(yesterday) && time < to);
}

function hoursOf(...given: SendWindow[]): OpenHours {
  return new OpenHours(given.map((window) => ({ window, zone: window.timeZone })));
}

test('a window is open exactly while a clock on the wall there shows a time of it', () => {
  fc.assert(
    fc.property(windows, moments, (window, ms) => {
      const hours = hoursOf(window);
      for (const at of [ms, ms + 59_999, ms + 7 * hourMs, ms - 3 * dayMs]) {
        expect(hours.opensAtMs(at) === at).toBe(shows(window, at));
      }
    }),
    { numRuns: 1_000 },
  );
});

test('it is said to open at the first minute at which it does', () => {
  fc.assert(
    fc.property(windows, moments, (window, ms) => {
      const opensAtMs = hoursOf(window).opensAtMs(ms);
      if (opensAtMs === Number.POSITIVE_INFINITY) {
        for (let at = ms; at < ms + 14 * dayMs; at += 5 * minuteMs) expect(shows(window, at)).toBe(false);
        return;
      }
      expect(shows(window, opensAtMs)).toBe(true);
      if (opensAtMs > ms) expect(shows(window, opensAtMs - 1)).toBe(false);
      // Not each minute of a week: every one of the last hours before it, and one in seven before those.
      for (let at = ms; at < opensAtMs; at += (opensAtMs - at > 3 * hourMs ? 7 : 1) * minuteMs) {
        expect(shows(window, at)).toBe(false);
      }
    }),
    { numRuns: 60 },
  );
});

test('of several windows all must be open', () => {
  fc.assert(
    fc.property(windows, windows, moments, (one, other, ms) => {
      const hours = hoursOf(one, other);
      expect(hours.opensAtMs(ms) === ms).toBe(shows(one, ms) && shows(other, ms));
      const opensAtMs = hours.opensAtMs(ms);
      if (opensAtMs < Number.POSITIVE_INFINITY)
        expect(shows(one, opensAtMs) && shows(other, opensAtMs)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('what was asked before changes no answer', () => {
  fc.assert(
    fc.property(windows, fc.array(moments, { minLength: 2, maxLength: 6 }), (window, asked) => {
      const hours = hoursOf(window);
      for (const ms of asked) expect(hours.opensAtMs(ms)).toBe(hoursOf(window).opensAtMs(ms));
    }),
    { numRuns: 200 },
  );
});

test('time runs while it is open, and what is closed beyond a limit counts as well', () => {
  const openMsBetween = (hours: OpenHours, startMs: number, endMs: number) => {
    let open = 0;
    for (let ms = startMs; ms < endMs; ms += minuteMs) if (hours.opensAtMs(ms) === ms) open += minuteMs;
    return open;
  };
  fc.assert(
    fc.property(windows, moments, fc.integer({ min: 1, max: 4_000 }), (window, startMs, minutes) => {
      const hours = hoursOf(window);
      const openMs = minutes * minuteMs;
      const closedMsMax = 10 * dayMs;
      const endMs = hours.endMs(startMs, { openMs, closedMsMax });
      expect(endMs).toBeLessThanOrEqual(startMs + openMs + closedMsMax);
      if (endMs < startMs + openMs + closedMsMax) expect(openMsBetween(hours, startMs, endMs)).toBe(openMs);
      else expect(openMsBetween(hours, startMs, endMs)).toBeLessThanOrEqual(openMs);
    }),
    { numRuns: 100 },
  );
});

const everyDay = [...weekdays];

test('an hour that is left out opens the window late, or not at all, and one that comes twice opens it twice', () => {
  const at = (text: string) => Date.parse(text);
  const window = (from: string, to: string) =>
    hoursOf({ days: everyDay, from, to, timeZone: 'Europe/Amsterdam' });
  const spring = at('2026-03-29T00:00:00Z');
  expect(window('02:30', '05:00').opensAtMs(spring)).toBe(at('2026-03-29T01:00:00Z'));
  expect(window('02:15', '02:45').opensAtMs(spring)).toBe(at('2026-03-30T00:15:00Z'));
  const autumn = window('02:15', '02:45');
  expect(autumn.opensAtMs(at('2026-10-25T00:00:00Z'))).toBe(at('2026-10-25T00:15:00Z'));
  expect(autumn.opensAtMs(at('2026-10-25T00:45:00Z'))).toBe(at('2026-10-25T01:15:00Z'));
  expect(autumn.opensAtMs(at('2026-10-25T01:45:00Z'))).toBe(at('2026-10-26T01:15:00Z'));
});

test('a window over midnight belongs to the day on which it begins', () => {
  const hours = hoursOf({ days: ['fri'], from: '22:00', to: '02:00', timeZone: 'UTC' });
  const at = (text: string) => Date.parse(text);
  expect(hours.opensAtMs(at('2026-01-02T01:00:00Z'))).toBe(at('2026-01-02T22:00:00Z'));
  expect(hours.opensAtMs(at('2026-01-03T01:59:59Z'))).toBe(at('2026-01-03T01:59:59Z'));
  expect(hours.opensAtMs(at('2026-01-03T02:00:00Z'))).toBe(at('2026-01-09T22:00:00Z'));
});

test('windows that are never open together are said to open never', () => {
  const monday: SendWindow = { days: ['mon'], from: '09:00', to: '10:00', timeZone: 'UTC' };
  expect(hoursOf(monday, { ...monday, days: ['tue'] }).opensAtMs(Date.now())).toBe(Number.POSITIVE_INFINITY);
  expect(minuteOfDay('24:00')).toBe(1_440);
});
