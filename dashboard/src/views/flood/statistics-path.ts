import type { Past } from './ranges.ts';
import { stepMs } from './ranges.ts';

/** Of whole steps, so that looks of one minute ask for the same. */
export function statisticsPath({ lengthMs, step }: Past, by: 'none' | 'account' | 'route'): string {
  const untilMs = Math.ceil(Date.now() / stepMs[step]) * stepMs[step];
  const query = new URLSearchParams({
    since: new Date(untilMs - lengthMs).toISOString(),
    until: new Date(untilMs).toISOString(),
    step,
    by,
  });
  return `v1/statistics?${query}`;
}
