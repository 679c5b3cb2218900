import { unknown } from './number.ts';

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { year: 'numeric', month: 'short', day: '2-digit' });

/** `14:02:11` of today, else `29 Nov 2026, 14:02:11`; in the reader's own time zone. */
export function moment(at: string | null | undefined): string {
  const date = dateOf(at);
  if (!date) return unknown;
  const isToday = day.format(date) === day.format(new Date());
  return isToday ? clock.format(date) : `${day.format(date)}, ${clock.format(date)}`;
}

/** `12 s`, `3 min 20 s`, `4 h 05 min`, `9 d 3 h`. */
export function duration(ms: number | null | undefined): string {
  if (typeof ms !== 'number' || !Number.isFinite(ms)) return unknown;
  const seconds = Math.max(0, ms / 1_000);
  if (seconds < 1) return '< 1 s';
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${two(Math.floor(seconds % 60))} s`;
  if (seconds < 86_400)
    return `${Math.floor(seconds / 3_600)} h ${two(Math.floor((seconds % 3_600) / 60))} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3_600)} h`;
}

/** `840 ms`, `2.4 s`, then as `duration`: of what is measured rather than waited for. */
export function latency(ms: number | null | undefined): string {
  if (typeof ms !== 'number' || !Number.isFinite(ms)) return unknown;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : duration(ms);
}

/** How long ago it was: `3 min 20 s ago`. */
export function ago(at: string | null | undefined, nowMs: number): string {
  const date = dateOf(at);
  return date ? `${duration(nowMs - date.getTime())} ago` : unknown;
}

function dateOf(at: string | null | undefined): Date | undefined {
  if (!at) return undefined;
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
