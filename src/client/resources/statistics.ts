export interface StatisticsQuery {
  /** Default `hour`. */
  step?: 'minute' | 'hour' | 'day' | undefined;
  /** RFC 3339; without it the last 60 minutes, 48 hours or 30 days. */
  since?: string | undefined;
  /** RFC 3339; now without it. */
  until?: string | undefined;
  /** What has a series of its own; default `none`. */
  by?: 'none' | 'account' | 'route' | 'batch' | 'tag' | undefined;
  /** An administrator's key may name another account than its own; it sees all without. */
  account?: string | undefined;
  route?: string | undefined;
  batch?: string | undefined;
  tag?: string | undefined;
  /** One point for each series, of the whole time, with the percentiles of the whole time; default false. */
  total?: boolean | undefined;
}

/** What happened, counted in the step in which it happened. */
export interface Statistics {
  step: 'minute' | 'hour' | 'day';
  since: string;
  until: string;
  /** All that was recorded before is in; null before anything was counted. */
  asOf: string | null;
  series: StatisticsSeries[];
}

export interface StatisticsSeries {
  account?: string;
  route?: string;
  batch?: string;
  tag?: string;
  /** In order of time; a step in which nothing happened has none. */
  points: StatisticsPoint[];
}

export interface StatisticsPoint {
  /** When the step begins; of a total, `since`. */
  at: string;
  accepted: number;
  attempts: number;
  sent: number;
  delivered: number;
  failed: number;
  expired: number;
  canceled: number;
  suppressed: number;
  uncertain: number;
  /** From when messages could have left to when their first attempt began; percentiles to a factor of √2, null of none. */
  timeToFirstAttempt: {
    count: number;
    p50Ms: number | null;
    p95Ms: number | null;
    p99Ms: number | null;
  };
}
