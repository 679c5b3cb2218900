import type { Statistics, StatisticsPoint } from '../../api/shapes.ts';
import { stepMs } from './ranges.ts';

const none = {
  ...{ accepted: 0, attempts: 0, sent: 0, delivered: 0, failed: 0 },
  ...{ expired: 0, canceled: 0, suppressed: 0, uncertain: 0 },
  timeToFirstAttempt: { count: 0, p50Ms: null, p95Ms: null, p99Ms: null },
};

/**
 * All steps of the range that is asked for, up to what the server knows: it leaves those out in which nothing happened, and a line
 * would be drawn across them, or from the first to the last of them.
 */
export function everyStep({ since, until, asOf, step, series }: Statistics): StatisticsPoint[] {
  const byTime = new Map(series[0]?.points.map((point) => [Date.parse(point.at), point]));
  const lastMs = Math.max(0, ...byTime.keys(), Math.min(Date.parse(until) - 1, Date.parse(asOf ?? since)));
  const firstMs = Math.ceil(Date.parse(since) / stepMs[step]) * stepMs[step];
  const filled: StatisticsPoint[] = [];
  for (let atMs = firstMs; atMs <= lastMs; atMs += stepMs[step]) {
    filled.push(byTime.get(atMs) ?? { at: new Date(atMs).toISOString(), ...none });
  }
  return filled;
}
