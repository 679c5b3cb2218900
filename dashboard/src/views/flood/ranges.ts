/** A stretch of the past, and how finely it is told. */
export interface Past {
  lengthMs: number;
  step: 'minute' | 'hour' | 'day';
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

export const ranges = [
  { name: 'live', label: '5 min' },
  { name: '1h', label: '1 h', past: { lengthMs: hourMs, step: 'minute' } },
  { name: '24h', label: '24 h', past: { lengthMs: dayMs, step: 'minute' } },
  { name: '7d', label: '7 d', past: { lengthMs: 7 * dayMs, step: 'hour' } },
  { name: '30d', label: '30 d', past: { lengthMs: 30 * dayMs, step: 'hour' } },
  { name: 'year', label: 'Year', past: { lengthMs: 365 * dayMs, step: 'day' } },
] as const satisfies { name: string; label: string; past?: Past }[] as {
  name: RangeName;
  label: string;
  past?: Past;
}[];

export type RangeName = 'live' | '1h' | '24h' | '7d' | '30d' | 'year';

export const stepMs = { minute: 60_000, hour: hourMs, day: dayMs };
