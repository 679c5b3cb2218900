import type { StatisticsPoint } from '../../api/shapes.ts';

const none = {
  ...{ accepted: 0, attempts: 0, sent: 0, delivered: 0, failed: 0 },
  ...{ expired: 0, canceled: 0, suppressed: 0, uncertain: 0 },
  timeToFirstAttempt: { count: 0, p50Ms: null, p95Ms: null, p99Ms: null },
};

/** The points with those between them, in which nothing happened: the server leaves them out, and a line would be drawn across. */
export function everyStep(points: readonly StatisticsPoint[], stepMs: number): StatisticsPoint[] {
  const [first] = points;
  if (!first) return [];
  const byTime = new Map(points.map((point) => [Date.parse(point.at), point]));
  const filled: StatisticsPoint[] = [];
  for (let atMs = Date.parse(first.at); atMs <= Date.parse(points.at(-1)!.at); atMs += stepMs) {
    filled.push(byTime.get(atMs) ?? { at: new Date(atMs).toISOString(), ...none });
  }
  return filled;
}
