import type { MovingPath } from '../../api/use-polled.ts';
import { type Past, stepMs } from './ranges.ts';

/** Up to now, whenever that is; of whole steps, so that looks of one minute ask for the same. */
export function statisticsPath(
  { lengthMs, step }: Past,
  { by, total = false }: { by: 'none' | 'account' | 'route'; total?: boolean },
): MovingPath {
  return {
    of: `statistics ${lengthMs} ${step} ${by} ${total}`,
    now() {
      const untilMs = Math.ceil(Date.now() / stepMs[step]) * stepMs[step];
      const query = new URLSearchParams({
        since: new Date(untilMs - lengthMs).toISOString(),
        until: new Date(untilMs).toISOString(),
        step,
        by,
        // A server of the release before knows no such thing.
        ...(total && { total: 'true' }),
      });
      return `v1/statistics?${query}`;
    },
  };
}
