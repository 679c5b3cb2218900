import type { Queryable } from '../database.ts';

/** What one worker knows of a lane of its own. */
export interface LaneReport {
  accountId: number;
  routeId: number;
  priority: number;
  /** Messages that have come to their end and still count in `pending`: their chunk is in memory. */
  settled: number;
  /** Messages that wait for room at their destinations; absent from servers before limits by destination. */
  aside?: number;
  /** Messages handed to the provider in the last seconds, for each second. */
  sentPerSecond: number;
  /** What this worker may send through the route: messages a second, null for no limit; requests at once. */
  ratePerSecond: number | null;
  concurrency: number;
  breaker: string | null;
  /** The worker's requests through the route in a row of which no message was sent; null before the first. */
  failing?: number | null;
  /** What last kept a message of the lane, or the provider from all: when, as RFC 3339. Both absent from older servers. */
  lastError?: { code: string; at: string } | null;
}

/** Errors are told of so many whole minutes, and the one that runs. */
export const errorMinutes = 5;

/** What one worker did lately. */
export interface ActivityReport {
  /** Messages a second, by account and route, where there were any. */
  rates: {
    accountId: number;
    routeId: number;
    sent: number;
    delivered: number;
    failed: number;
    retried: number;
    uncertain: number;
  }[];
  /** Of the last `errorMinutes`. */
  errors: { accountId: number; routeId: number; code: string; count: number }[];
}

/** Longer than a worker takes to notice, and than somebody who watches waits between two looks. */
const wantedSeconds = 10;

const wantStatement = {
  name: 'want_worker_reports',
  // Whoever watches writes once in half that time, not with each look.
  text: `UPDATE worker_report_wanted SET until = now() + interval '${wantedSeconds} s'
    WHERE until < now() + interval '${wantedSeconds / 2} s'`,
};

const purgeStatement = {
  name: 'purge_worker_reports',
  text: 'DELETE FROM worker_report WHERE worker NOT IN (SELECT id FROM worker)',
};

const purgeIntakeStatement = {
  name: 'purge_intake_reports',
  // Of servers that are gone: one that runs tells again within a second.
  text: `DELETE FROM intake_report WHERE at < now() - interval '1 hour'`,
};

/** Lets workers, and servers, report for a while. */
export async function wantReports(database: Queryable): Promise<void> {
  const { rowCount } = await database.query(wantStatement);
  if (rowCount === 0) return;
  await database.query(purgeStatement);
  await database.query(purgeIntakeStatement);
}

export async function reportsWanted(database: Queryable): Promise<boolean> {
  const { rows } = await database.query<{ wanted: boolean }>({
    name: 'worker_reports_wanted',
    text: 'SELECT until > now() AS wanted FROM worker_report_wanted',
  });
  return rows[0]?.wanted ?? false;
}

const saveStatement = {
  name: 'save_worker_report',
  text: `INSERT INTO worker_report (worker, at, lanes, activity) VALUES ($1, now(), $2::jsonb, $3::jsonb)
    ON CONFLICT (worker) DO UPDATE SET at = excluded.at, lanes = excluded.lanes, activity = excluded.activity`,
};

export async function saveReport(
  database: Queryable,
  report: { workerId: string; lanes: LaneReport[]; activity: ActivityReport },
): Promise<void> {
  await database.query(saveStatement, [
    report.workerId,
    JSON.stringify(report.lanes),
    JSON.stringify(report.activity),
  ]);
}

const readStatement = {
  name: 'read_worker_reports',
  text: `SELECT r.lanes FROM worker w
    LEFT JOIN worker_report r ON r.worker = w.id AND r.at > now() - $1::float8 * interval '1 millisecond'`,
};

/** Of each worker its lanes, null where it has told nothing within `ageMs`. */
export async function readReports(database: Queryable, ageMs: number): Promise<(LaneReport[] | null)[]> {
  const { rows } = await database.query<{ lanes: LaneReport[] | null }>(readStatement, [ageMs]);
  return rows.map(({ lanes }) => lanes);
}
