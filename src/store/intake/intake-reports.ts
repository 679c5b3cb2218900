import type { Queryable } from '../database.ts';

/** Messages a second that were taken in by one server, by account and route. */
export interface AcceptedRate {
  accountId: number;
  routeId: number;
  accepted: number;
}

const saveStatement = {
  name: 'save_intake_report',
  text: `INSERT INTO intake_report (server, at, accepted) VALUES ($1, now(), $2::jsonb)
    ON CONFLICT (server) DO UPDATE SET at = excluded.at, accepted = excluded.accepted`,
};

export async function saveIntakeReport(
  database: Queryable,
  report: { server: string; rates: AcceptedRate[] },
): Promise<void> {
  await database.query(saveStatement, [report.server, JSON.stringify(report.rates)]);
}

const readStatement = {
  name: 'read_intake_reports',
  text: `SELECT accepted FROM intake_report WHERE at > now() - $1::float8 * interval '1 millisecond'`,
};

/** Of each server that has told within `ageMs`. */
export async function readIntakeReports(database: Queryable, ageMs: number): Promise<AcceptedRate[][]> {
  const { rows } = await database.query<{ accepted: AcceptedRate[] }>(readStatement, [ageMs]);
  return rows.map(({ accepted }) => accepted);
}
