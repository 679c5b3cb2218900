import { randomUUID } from 'node:crypto';
import type { AcceptedCount, AcceptedCounts } from '../intake/accepted-counts.ts';
import type { Clock } from '../lib/clock.ts';
import type { Queryable } from '../store/database.ts';
import { reportsWanted } from '../store/delivery/worker-reports.ts';
import { saveIntakeReport } from '../store/intake/intake-reports.ts';
import { periodic } from './periodic.ts';
import type { Service } from './service.ts';

const everyMs = 1_000;

export interface ReportIntakeSettings {
  database: Queryable;
  accepted: Pick<AcceptedCounts, 'counts'>;
  clock: Clock;
  onError: (error: unknown) => void;
}

/** Tells the database how fast this server takes messages in, as long as somebody watches. */
export function reportIntake(settings: ReportIntakeSettings): Service {
  const { clock, onError } = settings;
  const report = intakeReporter(settings);
  return periodic({ name: 'intake report', everyMs, clock, onError, runOnce: report });
}

function intakeReporter({ database, accepted, clock }: ReportIntakeSettings): () => Promise<void> {
  const server = randomUUID();
  let before: { atMs: number; counts: Map<string, AcceptedCount> } | undefined;
  return async () => {
    if (!(await reportsWanted(database))) {
      before = undefined;
      return;
    }
    const now = { atMs: clock.monotonicMs(), counts: accepted.counts() };
    const last = before;
    before = now;
    // How fast it flows is known from the second turn on.
    if (last === undefined || now.atMs === last.atMs) return;
    const seconds = (now.atMs - last.atMs) / 1_000;
    const rates = [...now.counts].flatMap(([name, count]) => {
      // A pair that was forgotten and came back counts from zero.
      const known = Math.min(last.counts.get(name)?.accepted ?? 0, count.accepted);
      return count.accepted > known ? [{ ...count, accepted: (count.accepted - known) / seconds }] : [];
    });
    await saveIntakeReport(database, { server, rates });
  };
}
