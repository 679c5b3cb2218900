/** A step of statistics: each has a table of its own. */
export const steps = ['minute', 'hour', 'day'] as const;
export type Step = (typeof steps)[number];

export const stepMs: Record<Step, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** Days that each step is kept. */
export type StatisticsDays = Record<Step, number>;

/** The beginning of the step in which a moment lies; days are UTC. */
export function stepOf(step: Step, unixMs: number): number {
  return Math.floor(unixMs / stepMs[step]) * stepMs[step];
}

export function tableOf(step: Step): string {
  return `statistics_${step}`;
}

/** The partition of a moment: of minutes one for each day, of hours for each month, of days for each year. */
export function partitionOf(step: Step, unixMs: number): { name: string; fromMs: number; toMs: number } {
  const at = new Date(unixMs);
  const [year, month, day] = [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()];
  const digits = at.toISOString().slice(0, 10).replaceAll('-', '');
  const of = (length: number, fromMs: number, toMs: number) => ({
    name: `${tableOf(step)}_p${digits.slice(0, length)}`,
    ...{ fromMs, toMs },
  });
  if (step === 'minute') return of(8, Date.UTC(year, month, day), Date.UTC(year, month, day + 1));
  if (step === 'hour') return of(6, Date.UTC(year, month), Date.UTC(year, month + 1));
  return of(4, Date.UTC(year, 0), Date.UTC(year + 1, 0));
}

/** What lies before is not kept; what is written later than this does not count there. */
export function keptFromMs(step: Step, days: StatisticsDays, nowMs: number): number {
  return stepOf('day', nowMs) - days[step] * stepMs.day;
}
